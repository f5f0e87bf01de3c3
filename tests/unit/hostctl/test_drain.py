"""Drains: who is waited for, and what is cut."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from infra.hostctl.edge.control import WorkerReading
from tests.unit.hostctl.fake_edge import server_stat
from tests.unit.hostctl.release_spec import V1, V2

if TYPE_CHECKING:
    from tests.unit.hostctl.fake_host import FakeHost


def test_a_drain_waits_for_requests_and_tells_what_it_cut(world: FakeHost) -> None:
    """Requests that run get their time; what is left at the limit is counted."""
    world.release(V1)
    world.commit(V2)
    world.edge.sessions[V1] = 40
    assert world.call("drain", release=V2)["cut"] == []
    world.edge.sessions[V1] = 10_000
    answer = world.call("drain", release=V2)
    assert 30 <= answer["seconds"] < 32
    assert {cut["service"] for cut in answer["cut"]} == {"acp-ingest", "acp-agents"}


def test_a_drain_waits_for_clients_of_workers_that_know_only_the_old_release(world: FakeHost) -> None:
    """A kept connection of an old HAProxy worker could still bring a request for the old release."""
    world.release(V1)
    world.commit(V2)
    blind = WorkerReading(
        key="w0", is_old=True, stats=(server_stat("acp-ingest", f"{V1}:1", 256, "UP", 0),), client_sessions=3
    )
    world.edge.old_workers = [blind]
    assert world.call("drain", release=V2)["cut"] == [{"service": "connections", "sessions": 3}]


def test_a_drain_waits_for_clients_of_workers_whose_new_release_is_down(world: FakeHost) -> None:
    """An old worker of the trial falls back to the old release for a service of which no candidate is left."""
    world.release(V1)
    world.commit(V2)
    ingest = [
        server_stat("acp-ingest", f"{V1}:1", 0, "UP", 0),
        server_stat("acp-ingest", f"{V2}:1", 256, "UP", 0),
        server_stat("acp-ingest:fallback", f"{V1}:1", 1, "no check", 0),
    ]
    agents = [server_stat("acp-agents", f"{V2}:1", 256, "UP", 0)]
    well = WorkerReading(key="w0", is_old=True, stats=(*ingest, *agents), client_sessions=3)
    world.edge.old_workers = [well]
    assert world.call("drain", release=V2)["cut"] == []
    ingest[1] = server_stat("acp-ingest", f"{V2}:1", 256, "DOWN", 0)
    world.edge.old_workers = [dataclasses.replace(well, stats=(*ingest, *agents))]
    assert world.call("drain", release=V2)["cut"] == [{"service": "connections", "sessions": 3}]


def test_a_drain_goes_on_while_the_edge_gives_no_answer(world: FakeHost) -> None:
    """A reload cuts off the question who has requests: that is not "nobody"."""
    world.release(V1)
    world.commit(V2)
    world.edge.sessions[V1] = 3
    world.edge.silent_for = 2
    answer = world.call("drain", release=V2)
    assert world.edge.silent_for == 0
    assert answer["cut"] == []
    assert not world.edge.sessions.get(V1)
