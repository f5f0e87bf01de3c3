"""What k6 is told for one run: arrivals, addresses, and thresholds that no run passes without doing its work; pure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from infra.domain.load_work import MIXED, WORK

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from infra.settings.load_profiles import Profile, Scenario

LEAST_SHARE = 0.95  # of the arrivals and requests that were planned
GRACEFUL_STOP_SECONDS = 60
FOLLOW_SECONDS = 40  # for one document, and for a job at least; it ends before k6 gives the arrival up
SPARE = 4  # times as long as an arrival usually takes; a host that hiccups is not a release that drops arrivals
LEAST_VUS = 20
STATISTICS = ("count", "med", "p(95)", "p(99)", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the services answer, one address per host in the same order; `hosts` maps names to real addresses."""

    services: Mapping[str, Sequence[str]]
    hosts: Mapping[str, str]
    host_header: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a service is asked about itself, under the endpoint's `name`, and what the answer must say in `field`."""

    name: str
    path: str
    field: str
    equals: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The agents job of an arrival: its body, `{text}` in it, the statuses that end it, and the time it may take."""

    body: Mapping[str, Any]
    answered: Collection[str]
    failed: Collection[str]
    within_seconds: float

    @property
    def follow_seconds(self) -> float:
        """Return how long a job is followed."""
        return max(FOLLOW_SECONDS, self.within_seconds)

    @property
    def graceful_stop_seconds(self) -> float:
        """Return how long an arrival with a job may go on after the last one came."""
        return GRACEFUL_STOP_SECONDS - FOLLOW_SECONDS + self.follow_seconds


def chosen(profile: Profile, scenario: str) -> dict[str, Scenario]:
    """Return the scenarios of a run: one, or for `mixed` all of the profile; empty when the profile has no such one."""
    return {name: found for name, found in profile.scenarios.items() if scenario in {MIXED, name}}


def plan_of(
    profile: Profile,
    scenarios: Mapping[str, Scenario],
    addresses: Addresses,
    release: str,
    job: Job,
    states: Mapping[str, Sequence[State]],
) -> dict[str, Any]:
    """Return the plan as the scripts read it."""
    thresholds: dict[str, list[str]] = {}
    for name, scenario in scenarios.items():
        thresholds |= thresholds_of(name, scenario, arrivals(profile, scenario.rate), release)
    return {
        "options": {
            "scenarios": {name: _executor(name, profile, scenario, job) for name, scenario in scenarios.items()},
            "thresholds": thresholds,
            "tags": {"release": release},
            "hosts": dict(addresses.hosts),
            "summaryTrendStats": list(STATISTICS),
            "setupTimeout": f"{2 * GRACEFUL_STOP_SECONDS}s",
        },
        "addresses": {service: list(urls) for service, urls in addresses.services.items()},
        "host_header": addresses.host_header,
        "release": release,
        "timeout_seconds": FOLLOW_SECONDS,
        "states": {service: [asdict(state) for state in asked] for service, asked in states.items()},
        "job": {
            "body": dict(job.body),
            "answered": sorted(job.answered),
            "failed": sorted(job.failed),
            "timeout_seconds": job.follow_seconds,
        },
    }


def arrivals(profile: Profile, rate: float) -> float:
    """Return how much work arrives in a whole run."""
    half = profile.duration_seconds / 2
    return rate * half * (1 + profile.peak) / 2 + rate * half * profile.peak


def selector(scenario: str, endpoint: str, release: str) -> str:
    """Return the tags of one endpoint's requests."""
    return f"{{scenario:{scenario},name:{endpoint},release:{release}}}"


def thresholds_of(name: str, scenario: Scenario, planned: float, release: str) -> dict[str, list[str]]:
    """Return the thresholds of one scenario: least counts first, as without them all others pass on silence."""
    least = LEAST_SHARE * planned
    found = {
        f"iterations{{scenario:{name}}}": [f"count>={_count(least)}"],
        f"dropped_iterations{{scenario:{name}}}": ["count==0"],
        f"checks{{scenario:{name}}}": [f"rate>={1 - scenario.max_failed_rate:g}"],
    }
    good = 1 - scenario.max_failed_rate
    for endpoint, requests in WORK[name].endpoints.items():
        tags = selector(name, endpoint, release)
        limit = scenario.max_p95_ms.get(endpoint)
        found[f"http_reqs{tags}"] = [f"count>={_count(least * requests * good)}"]
        found[f"http_req_failed{tags}"] = [f"rate<={scenario.max_failed_rate:g}"]
        # Without an expression k6 still reports the figures, for the report.
        found[f"http_req_duration{tags}"] = [] if limit is None else [f"p(95)<{limit:g}"]
    return found


def _count(least: float) -> int:
    return max(1, math.floor(least))


def _has_job(name: str) -> bool:
    return "start_job" in WORK[name].endpoints


def _users(name: str, profile: Profile, scenario: Scenario, job: Job) -> int:
    """Return how many virtual users a scenario needs, so that no arrival within its limits finds all of them busy."""
    within_limits = sum(scenario.max_p95_ms.values()) / 1000
    of_job = job.within_seconds if _has_job(name) else 0
    seconds = max(SPARE * WORK[name].seconds, within_limits, of_job)
    return max(LEAST_VUS, math.ceil(scenario.rate * profile.peak * seconds))


def _executor(name: str, profile: Profile, scenario: Scenario, job: Job) -> dict[str, Any]:
    """Return an open model: arrivals do not wait for answers, so a slow release cannot hide its slowness."""
    vus = _users(name, profile, scenario, job)
    shared = {
        "exec": name,
        "timeUnit": "60s",  # arrivals per minute let a rate below one a second be a whole number
        # All of them before the first arrival: k6 drops the one that it would have to make a user for.
        "preAllocatedVUs": vus,
        "maxVUs": vus,
        "gracefulStop": f"{job.graceful_stop_seconds if _has_job(name) else GRACEFUL_STOP_SECONDS:g}s",
    }
    per_minute = max(1, round(scenario.rate * 60))
    if profile.peak == 1:
        duration = f"{profile.duration_seconds:g}s"
        return {"executor": "constant-arrival-rate", "rate": per_minute, "duration": duration, **shared}
    peak, half = round(per_minute * profile.peak), f"{profile.duration_seconds / 2:g}s"
    stages = [{"target": peak, "duration": half}, {"target": peak, "duration": half}]
    return {"executor": "ramping-arrival-rate", "startRate": per_minute, "stages": stages, **shared}
