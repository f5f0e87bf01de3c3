from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.domain.naming import project_name
from infra.lab.docker import docker
from tests.e2e.first import stack_outputs
from tests.support.host_view import views
from tests.support.traffic import AGENTS_PORT, INGEST_PORT, LIGHT_RATE, loss, release_at, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.first import FirstRelease
    from tests.support.host_view import HostView
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

STACK = "local"
SERVICES = ("ingest", "worker", "agents")


@pytest.fixture(scope="module")
def current(world: World, first: FirstRelease) -> dict[str, Any]:
    """Return the outputs of a stack that has released something after its first release."""
    if stack_outputs(world)["release"] == first.release:
        world.configure({"environment": {"TEST_MARK": "a later release"}})
        result = world.up()
        assert result.good, result.tail()
    return stack_outputs(world)


@contextlib.contextmanager
def no_registry(view: HostView) -> Iterator[None]:
    """Keep the registry down while the block runs."""
    name = view.machine.plan.container("registry")
    docker("stop", name)
    try:
        yield
    finally:
        docker("start", name)


def environments(view: HostView, release: str) -> dict[str, list[str]]:
    """Return the environment that each process of a release sees."""
    project = project_name(release)
    shown = {
        service: view.docker("inspect", "--format", "{{json .Config.Env}}", f"{project}-{service}-1")
        for service in SERVICES
    }
    return {service: sorted(json.loads(text)) for service, text in shown.items()}


def test_what_cannot_be_taken_back_is_refused(world: World, current: dict[str, Any]) -> None:
    """The release that serves, and one that nobody knows; nothing is changed."""
    for wanted, text in ((current["release"], "serves already"), ("v0-00000000", "is not in the record")):
        result = world.command("rollback", "--stack", STACK, "--to", wanted, "--yes")
        assert (result.exit_status, text in result.output) == (2, True), result.output
    assert stack_outputs(world) == current


def test_a_kept_release_comes_back_without_the_registry(world: World, current: dict[str, Any]) -> None:
    """Its own containers with the environment of then, under traffic, and the record says how it came about."""
    (view,), (host,) = views(world), world.settings.hosts
    before = environments(view, current["previous"])
    with no_registry(view), traffic(host, rate=LIGHT_RATE) as prober:
        result = world.command("rollback", "--stack", STACK, "--yes", timeout_seconds=300)
    assert result.good, result.output
    assert "warm: its kept containers start again" in result.output
    outputs = stack_outputs(world)
    entry = outputs["release_entry"]
    assert (outputs["release"], entry["kind"], entry["replaced"]) == (
        current["previous"],
        "rollback",
        current["release"],
    )
    assert (entry["warm"], entry["gate"]["offline"]) == ({"h1": True}, True)
    assert release_at(host, INGEST_PORT) == release_at(host, AGENTS_PORT) == outputs["release"]
    assert environments(view, outputs["release"]) == before
    assert loss(prober.answers).lost == 0, loss(prober.answers).shown
    view.wait_settled()
    assert view.problems() == []


def test_the_history_says_what_happened_and_is_whole(world: World, current: dict[str, Any]) -> None:
    """The rollback is linked to what it undid, and backend, record and host agree."""
    events = json.loads(world.command("history", "--stack", STACK, "--json", check=True).output)
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "rollback"
    assert kinds.count("release") >= 2
    assert events[0]["undoes"] == current["release"]
    assert events[0]["verdicts"]["checks"]["failed"] == 0
    found = world.command("audit", "verify", "--stack", STACK, "--json")
    assert found.good, found.output
    assert json.loads(found.output)["anchors"] >= 3


def test_a_changed_history_is_named(world: World, current: dict[str, Any]) -> None:
    """One byte of an anchored checkpoint."""
    folder = world.path / ".pulumi" / "history" / "analyst-copilot" / STACK
    checkpoint = min(folder.glob("*.checkpoint.json"))
    kept = checkpoint.read_bytes()
    checkpoint.write_bytes(kept + b" ")
    try:
        found = world.command("audit", "verify", "--stack", STACK, "--json")
    finally:
        checkpoint.write_bytes(kept)
    assert found.exit_status == 50, found.output
    (problem,) = json.loads(found.output)["problems"]
    assert (problem["finding"], problem["entry"]) == ("changed", checkpoint.name.removesuffix(".checkpoint.json"))


def test_an_update_takes_a_kept_release_up_again(world: World, current: dict[str, Any]) -> None:
    """Settings of before, taken back in git: the kept containers pass every check of a release, workers and all."""
    (view,), (host,) = views(world), world.settings.hosts
    made = []
    for mark in ("kept", "between", "kept"):
        world.configure({"environment": {"TEST_MARK": mark}})
        with traffic(host, rate=LIGHT_RATE) as prober:
            result = world.up()
        assert result.good, result.tail(40)
        assert loss(prober.answers).lost == 0, loss(prober.answers).shown
        made.append(stack_outputs(world))
    assert [outputs["release"] == made[0]["release"] for outputs in made] == [True, False, True]
    entry = made[-1]["release_entry"]
    assert (entry["kind"], entry["warm"]) == ("release", {"h1": True})
    assert any(check["check"] == "replicas" and "worker" in check["target"] for check in entry["checks"])
    view.wait_settled()
    assert view.problems() == []
