from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.k6 import run_k6
from infra.checks.load import SCRIPTS, job_of, states_of
from infra.domain.load_plan import Addresses, chosen, plan_of
from infra.domain.load_report import Reading, figures_of, missed, unmeasured
from infra.domain.load_work import WORK
from infra.errors import ToolError
from infra.settings.load_profiles import Profile
from tests.integration.app.stack import docker
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from infra.domain.load_report import EndpointFigures
    from tests.integration.app.stack import Release, Stack

pytestmark = pytest.mark.docker

RUN_SECONDS = 240
# A busy machine must not fail these tests: they are about the scripts, not about the app's speed.
PATIENT = {
    "duration_seconds": 3,
    "scenarios": {
        "smoke": {"rate": 0.4, "max_p95_ms": {"paste": 30000}},
        "ingest": {"rate": 2, "max_p95_ms": {"paste": 30000}},
        "search": {"rate": 4, "max_p95_ms": {"search": 30000}},
        "agents": {"rate": 1, "max_p95_ms": {"start_job": 30000}},
    },
}


def run(
    release: Release, scenario: str, *, expected: str = "", ingest: str = "", **changes: Any
) -> tuple[list[str], dict[tuple[str, str], EndpointFigures]]:
    """Run a scenario against a release and give what was missed and the figures of each endpoint."""
    profile = Profile.model_validate({**PATIENT, **changes})
    scenarios = chosen(profile, scenario)
    addresses = Addresses(
        services={"ingest": [ingest or release.url("ingest")], "agents": [release.url("agents")]},
        hosts={},
        host_header=None,
    )
    plan = plan_of(
        profile, scenarios, addresses, expected or release.release, job_of(make_settings()), states_of(make_settings())
    )
    summary = run_k6(SCRIPTS / f"{scenario}.js", plan, timeout_seconds=RUN_SECONDS)
    readings = {name: Reading(kind=m.type, values=m.values, held=m.thresholds) for name, m in summary.metrics.items()}
    wanted = plan["options"]["thresholds"]
    assert unmeasured(wanted, readings) == []
    _, endpoints = figures_of(scenarios, plan["release"], readings)
    failed = [f"{check.name}: {check.fails}" for check in summary.failed_checks]
    return missed(wanted, readings) + failed, {(row.scenario, row.endpoint): row for row in endpoints}


def documents(stack: Stack) -> str:
    """Count the documents that k6 left."""
    query = "SELECT count(*) FROM ingest_jobs WHERE origin = 'k6'"
    return docker(
        "exec", stack.core("postgres"), "psql", "--username", "acp", "--tuples-only", "--command", query
    ).strip()


@pytest.mark.parametrize("scenario", ["search", "mixed"])
def test_a_scenario_passes_and_removes_its_data(stack: Stack, release: Release, scenario: str) -> None:
    """On a good release every endpoint of every scenario is asked, nothing fails, and no document is left."""
    problems, figures = run(release, scenario)

    assert problems == []
    names = WORK if scenario == "mixed" else [scenario]
    assert set(figures) == {(name, endpoint) for name in names for endpoint in WORK[name].endpoints}
    assert all(row.requests > 0 and row.failed == 0 and row.p95_ms > 0 for row in figures.values())
    assert documents(stack) == "0"


def test_another_release_than_expected_is_noticed(stack: Stack, release: Release) -> None:
    """Answers of another release fail the run, even when all else is good; what it made is removed."""
    problems, _ = run(release, "ingest", expected="another")
    assert any("expected release" in problem for problem in problems)
    assert documents(stack) == "0"


def test_a_run_that_cannot_prepare_its_data_is_an_error(release: Release) -> None:
    """A scenario whose documents cannot be made is no run at all, rather than one with few requests."""
    with pytest.raises(ToolError, match=r"exit status 108.*could not be made"):
        run(release, "search", ingest="http://127.0.0.1:9")


def test_a_slow_release_misses_its_threshold(release: Release) -> None:
    """The latency threshold is one that can fail."""
    problems, figures = run(release, "agents", scenarios={"agents": {"rate": 1, "max_p95_ms": {"start_job": 0.01}}})
    assert [problem.partition(" (")[0] for problem in problems] == [
        f"http_req_duration{{scenario:agents,name:start_job,release:{release.release}}}: p(95)<0.01"
    ]
    assert figures["agents", "start_job"].max_p95_ms == 0.01
