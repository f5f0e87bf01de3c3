"""What a host says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.hostctl.edge.control import Survey, WorkerReading
from infra.hostctl.edge.ledger import Ledger
from infra.hostctl.readiness import Prober
from tests.unit.hostctl.fake_edge import server_stat
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


def test_counters_tell_the_times_of_each_replica_in_each_worker(world: FakeHost, monkeypatch: Any) -> None:
    """A worker that only finishes what it has is read, too; checks are no requests of users."""
    world.release(V1)
    own = replace(server_stat("acp-ingest", f"{V1}:1", 256, "UP", 0), requests=40, time_ms_average=7)
    checked = replace(own, backend="acp-ingest:verify", requests=3)
    workers = [
        WorkerReading(key="w/1", is_old=True, stats=(replace(own, requests=900),), client_sessions=0),
        WorkerReading(key="w/2", is_old=False, stats=(own, checked), client_sessions=0),
    ]
    ledger = Ledger()
    ledger.fold({"w/2": [own]})
    monkeypatch.setattr(world.edge, "fold_counters", lambda: (ledger, Survey(readings=tuple(workers))))
    assert world.call("counters")["services"]["acp-ingest"][V1]["replicas"] == {
        f"w/1/{V1}:1": {"requests": 900, "time_ms_average": 7},
        f"w/2/{V1}:1": {"requests": 40, "time_ms_average": 7},
    }
