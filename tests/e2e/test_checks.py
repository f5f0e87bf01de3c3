"""`acp-release check` and `smoke` on a real stack: green when all is well, red with the name of what was stopped."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from junitparser import JUnitXml

from infra.lab.docker import docker
from tests.e2e.first import TWO_AGENTS, check
from tests.support.host_view import HostView, views
from tests.support.overrides import merged
from tests.support.traffic import AGENTS_PORT, INGEST_PORT, told_health, wait_health

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

QUICK = {"checks": {"timeout_seconds": 10, "suite": {"queue": {"within_seconds": 8}}}}
"""A red check gives up sooner than on a real stack."""

SUITE_SECONDS = 10.0
SMOKE_SECONDS = 20.0
WELL_SECONDS = 60.0


@pytest.fixture(scope="module")
def view(world: World, first: FirstRelease) -> Iterator[HostView]:
    """Return the host of a release that is well, on a stack whose red checks are quick."""
    world.configure(merged(TWO_AGENTS, QUICK))
    (found,) = views(world)
    yield found
    world.configure(TWO_AGENTS)


def failures(document: dict[str, Any]) -> str:
    """Return what failed, for a message."""
    return json.dumps([row for row in document["checks"] if not row["passed"]], indent=1)


def is_well(status: dict[str, Any]) -> bool:
    """Say whether every container is healthy and the edge finds every replica ready."""
    containers = [c for found in status["releases"].values() for c in found] + status["core"]
    rows = [row for service in status["services"] for row in service["releases"]]
    return all(c["state"] == "running" and c["health"] in {None, "healthy"} for c in containers) and all(
        row["up"] == row["servers"] for row in rows
    )


@contextlib.contextmanager
def stopped(world: World, view: HostView, what: str) -> Iterator[None]:
    """Stop a container on the host, or the lab's model endpoint, while the block runs; then wait until all is well."""
    on_machine = what == "model"
    name = view.machine.plan.container("model") if on_machine else what
    run = docker if on_machine else view.docker
    run("stop", "--time", "1", name)
    try:
        yield
    finally:
        run("start", name)
        wait_health(view.host, INGEST_PORT, healthy=True)
        wait_health(view.host, AGENTS_PORT, healthy=True)
        view.wait_for(is_well, timeout_seconds=WELL_SECONDS, what="everything runs again")


def test_a_healthy_stack_is_green_in_time(world: World, view: HostView, tmp_path: Path) -> None:
    """Every check passes within ten seconds, in the document and in the JUnit file."""
    code, document = check(world, "--junit", str(tmp_path / "checks.xml"))
    assert code == 0, failures(document)
    assert (document["passed"], document["at_fault"]) == (True, [])
    assert document["seconds"] <= SUITE_SECONDS
    xml = JUnitXml.fromfile(str(tmp_path / "checks.xml"))
    assert (xml.failures, xml.tests) == (0, len(document["checks"]))


def test_a_users_path_works_and_leaves_nothing(world: World, view: HostView) -> None:
    """The smoke test passes within twenty seconds and removes what it made."""
    result = world.command("smoke", "--stack", "local", "--json")
    document = json.loads(result.output)
    assert result.good, failures(document)
    assert document["seconds"] <= SMOKE_SECONDS
    made = view.docker(
        "exec", "acp-core-postgres-1", "psql", "-U", "acp", "-d", "acp", "-tAc",
        "select count(*) from ingest_jobs where origin = 'acp-release-check'",
    )  # fmt: skip
    assert made.strip() == "0"


def test_another_release_than_the_wanted_one_is_named(world: World, view: HostView) -> None:
    """When the host serves something else than it should, exactly that is at fault."""
    code, document = check(world, "--release", "v0.0.0-00000000")
    assert (code, document["at_fault"]) == (50, ["release"]), failures(document)


@pytest.mark.parametrize(
    ("container", "fault"),
    [
        ("acp-core-postgres-1", "database"),
        ("acp-core-redis-1", "redis"),
        ("{project}-worker-1", "acp-worker"),
        ("model", "model_endpoint"),
        ("{project}-agents-2", "acp-agents replica {project}-agents-2"),
    ],
)
def test_what_is_stopped_is_named_and_nothing_else(
    world: World, first: FirstRelease, view: HostView, container: str, fault: str
) -> None:
    """With one dependency stopped the suite is red, and names that one."""
    project = str(first.outputs["release_entry"]["spec"]["project"])
    with stopped(world, view, container.format(project=project)):
        if container == "model":
            # The app keeps what it found of an endpoint for some seconds.
            wait_health(view.host, INGEST_PORT, healthy=False)
        code, document = check(world)
    assert (code, document["at_fault"]) == (50, [fault.format(project=project)]), failures(document)
    assert told_health(view.host, INGEST_PORT) == "healthy"
