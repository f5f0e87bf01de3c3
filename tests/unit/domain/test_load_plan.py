from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.domain.load_plan import (
    FOLLOW_SECONDS,
    GRACEFUL_STOP_SECONDS,
    Addresses,
    Job,
    State,
    arrivals,
    chosen,
    plan_of,
)
from infra.domain.load_work import MIXED, WORK
from infra.settings.load_profiles import USUAL_PROFILES, Profile

RELEASE = "v1.4.2-1a2b3c4d"
ADDRESSES = Addresses(services={"ingest": ["http://h1:8000"], "agents": ["http://h1:8001"]}, hosts={}, host_header=None)
STATES = {"ingest": [State(name="health", path="/healthz", field="state", equals="OK")], "agents": []}
BODY = {"request_type": "analysis", "requirements": ["{text}"]}
JOB = Job(body=BODY, answered={"completed", "awaiting_answers"}, failed={"failed", "error"}, within_seconds=20)


def profile(**changes: Any) -> Profile:
    """Return ten seconds of twenty searches a second."""
    search = {"rate": 20, "max_p95_ms": {"search": 300}}
    return Profile.model_validate({"duration_seconds": 10, "scenarios": {"search": search}, **changes})


def plan(made: Profile, scenario: str = MIXED, job: Job = JOB) -> dict[str, Any]:
    """Return the plan of a run."""
    return plan_of(made, chosen(made, scenario), ADDRESSES, RELEASE, job, STATES)


def test_a_plan_says_all_that_k6_does() -> None:
    """Arrivals, thresholds with least counts, release tag, addresses and time limits, as they were reviewed."""
    tags = f"{{scenario:search,name:search,release:{RELEASE}}}"
    assert plan(profile()) == {
        "options": {
            "scenarios": {
                "search": {
                    "executor": "constant-arrival-rate",
                    "rate": 1200,
                    "duration": "10s",
                    "exec": "search",
                    "timeUnit": "60s",
                    "preAllocatedVUs": 24,
                    "maxVUs": 24,
                    "gracefulStop": "60s",
                }
            },
            "thresholds": {
                "iterations{scenario:search}": ["count>=190"],
                "dropped_iterations{scenario:search}": ["count==0"],
                "checks{scenario:search}": ["rate>=1"],
                f"http_reqs{tags}": ["count>=190"],
                f"http_req_failed{tags}": ["rate<=0"],
                f"http_req_duration{tags}": ["p(95)<300"],
            },
            "tags": {"release": RELEASE},
            "hosts": {},
            "summaryTrendStats": ["count", "med", "p(95)", "p(99)", "max"],
            "setupTimeout": "120s",
        },
        "addresses": {"ingest": ["http://h1:8000"], "agents": ["http://h1:8001"]},
        "host_header": None,
        "states": {"ingest": [{"name": "health", "path": "/healthz", "field": "state", "equals": "OK"}], "agents": []},
        "release": RELEASE,
        "timeout_seconds": 40,
        "job": {
            "body": BODY,
            "answered": ["awaiting_answers", "completed"],
            "failed": ["error", "failed"],
            "timeout_seconds": 40,
        },
    }


def test_a_peak_is_reached_at_half_time_and_kept() -> None:
    """A stress run's arrivals rise to their multiple; the least counts follow."""
    made = plan(profile(peak=4))["options"]
    assert made["scenarios"]["search"] | {"preAllocatedVUs": 0, "maxVUs": 0} == {
        "executor": "ramping-arrival-rate",
        "startRate": 1200,
        "stages": [{"target": 4800, "duration": "5s"}, {"target": 4800, "duration": "5s"}],
        "exec": "search",
        "timeUnit": "60s",
        "preAllocatedVUs": 0,
        "maxVUs": 0,
        "gracefulStop": "60s",
    }
    assert arrivals(profile(peak=4), 20) == 5 * 50 + 5 * 80
    assert made["thresholds"]["iterations{scenario:search}"] == ["count>=617"]


@pytest.mark.parametrize(
    ("rate", "limit_ms", "peak", "users"),
    [(1, 300, 1, 20), (100, 300, 1, 120), (100, 1000, 1, 120), (100, 3000, 1, 300), (100, 3000, 2, 600)],
)
def test_no_arrival_within_its_limit_finds_all_users_busy(rate: int, limit_ms: int, peak: int, users: int) -> None:
    """Enough users for answers as slow as the limit, made beforehand: k6 drops an arrival that waits for one."""
    slow = {"search": {"rate": rate, "max_p95_ms": {"search": limit_ms}}}
    made = plan(profile(scenarios=slow, peak=peak))["options"]["scenarios"]["search"]
    assert (made["preAllocatedVUs"], made["maxVUs"]) == (users, users)


def test_what_may_fail_is_allowed_everywhere_alike() -> None:
    """A share of failures that a profile allows counts for requests and checks, and lowers the least counts by it."""
    lenient = {"search": {"rate": 20, "max_p95_ms": {"search": 300}, "max_failed_rate": 0.01}}
    thresholds = plan(profile(scenarios=lenient))["options"]["thresholds"]
    assert thresholds["checks{scenario:search}"] == ["rate>=0.99"]
    tags = f"{{scenario:search,name:search,release:{RELEASE}}}"
    assert thresholds[f"http_req_failed{tags}"] == ["rate<=0.01"]
    assert thresholds[f"http_reqs{tags}"] == ["count>=188"]


@pytest.mark.parametrize("name", USUAL_PROFILES)
def test_no_profile_passes_on_silence(name: str) -> None:
    """In every usual profile each scenario and endpoint needs at least one request, and one latency has a limit."""
    found = USUAL_PROFILES[name]
    thresholds = plan(found)["options"]["thresholds"]
    for scenario in found.scenarios:
        counts = [f"iterations{{scenario:{scenario}}}"]
        counts += [
            f"http_reqs{{scenario:{scenario},name:{endpoint},release:{RELEASE}}}"
            for endpoint in WORK[scenario].endpoints
        ]
        for key in counts:
            (text,) = thresholds[key]
            assert int(text.removeprefix("count>=")) >= 1
        assert thresholds[f"dropped_iterations{{scenario:{scenario}}}"] == ["count==0"]
        assert any(text.startswith("p(95)<") for key in thresholds for text in thresholds[key] if scenario in key)


def test_a_single_arrival_must_come() -> None:
    """Where 95 % of what is planned is less than one, one is still needed."""
    once = {"search": {"rate": 0.1, "max_p95_ms": {"search": 300}}}
    thresholds = plan(profile(scenarios=once))["options"]["thresholds"]
    assert thresholds["iterations{scenario:search}"] == ["count>=1"]


def test_a_scenario_is_chosen_by_name_or_all_at_once() -> None:
    """One scenario alone, all of the profile as `mixed`, and nothing for one that the profile lacks."""
    load = USUAL_PROFILES["load"]
    assert list(chosen(load, "search")) == ["search"]
    assert list(chosen(load, MIXED)) == ["ingest", "search", "agents"]
    assert chosen(load, "smoke") == {}


def test_followed_work_ends_before_k6_gives_it_up() -> None:
    """Otherwise a slow job would be cut off before its document is removed."""
    assert FOLLOW_SECONDS < GRACEFUL_STOP_SECONDS
    slow = replace(JOB, within_seconds=300)
    assert slow.follow_seconds < slow.graceful_stop_seconds


@pytest.mark.parametrize(
    ("within", "followed", "stop", "users"), [(20, 40, "60s", 40), (40, 40, "60s", 40), (300, 300, "320s", 300)]
)
def test_a_job_gets_the_time_that_the_stack_gives_it(within: float, followed: float, stop: str, users: int) -> None:
    """Where an answer takes minutes, an arrival waits for it, and there is a user for each that waits."""
    made = plan(USUAL_PROFILES["load"], job=replace(JOB, within_seconds=within))
    assert (made["job"]["timeout_seconds"], made["timeout_seconds"]) == (followed, 40)
    scenarios = made["options"]["scenarios"]
    assert (scenarios["agents"]["gracefulStop"], scenarios["agents"]["maxVUs"]) == (stop, users)
    assert (scenarios["search"]["gracefulStop"], scenarios["search"]["maxVUs"]) == ("60s", 60)
