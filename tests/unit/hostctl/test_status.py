"""What a host says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.hostctl.readiness import Prober
from tests.unit.hostctl.release_spec import V1, V2

if TYPE_CHECKING:
    from tests.unit.hostctl.fake_host import FakeHost


def test_status_tells_what_is_not_as_it_should_be(world: FakeHost) -> None:
    """A dead container, a running parked one and routes that differ are all named."""
    world.release(V1)
    world.release(V2)
    world.engine.change("acp-v1-1-0-b-ingest-1", state="exited")
    world.engine.change("acp-v1-0-0-a-ingest-1", state="running")
    world.edge.loaded = None
    drift = [difference["what"] for difference in world.call("status")["drift"]]
    assert any("acp-v1-1-0-b-ingest-1 of the current release" in line for line in drift)
    assert any("acp-v1-0-0-a-ingest-1 of a parked release runs" in line for line in drift)
    assert any("the edge serves nothing" in line for line in drift)


def test_status_answers_on_a_host_without_anything(world: FakeHost) -> None:
    """Before any set-up a status is empty, not an error, and writes nothing."""
    world.edge.is_set_up = False
    world.edge.running = False
    status = world.call("status")
    assert (status["current"], status["phase"], status["drift"]) == (None, "idle", [])
    assert not world.folder.exists()


def test_resources_and_readiness_are_told_by_container(world: FakeHost) -> None:
    """Figures without the page cache; passes of every replica."""
    world.release(V1)
    rows = world.call("resources")["containers"]
    assert {row["memory_bytes"] for row in rows} == {70}
    assert {(row["restarts"], row["oom_kills"], row["disk_bytes"], row["state"]) for row in rows} == {
        (0, 0, 4096, "running")
    }
    assert {row["service"] for row in rows} == {"acp-ingest", "acp-agents", "acp-worker"}
    passes = {row["name"]: row["passes"] for row in world.call("ready", release=V1)["containers"]}
    assert passes["acp-v1-0-0-a-ingest-1"] == 3


def test_the_patience_of_a_question_for_readiness_can_be_bounded(world: FakeHost, monkeypatch: Any) -> None:
    """`ready` waits as long as it is told, and never longer than the release says."""
    world.release(V1)
    limits: list[float] = []

    def wait(_self: Any, spec: Any) -> list[Any]:
        limits.extend(service.readiness.timeout_seconds for service in spec.services if service.readiness)
        return []

    monkeypatch.setattr(Prober, "wait", wait)
    for asked in (2, 3000):
        world.call("ready", release=V1, within_seconds=asked)
    assert set(limits) == {2, 10}
