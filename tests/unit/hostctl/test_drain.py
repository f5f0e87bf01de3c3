"""Drains: who is waited for, and what is cut."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from infra.hostctl.edge.control import WorkerReading
from tests.unit.hostctl.fake_edge import server_stat
from tests.unit.hostctl.release_spec import V1, V2, spec

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


def test_a_web_service_gets_its_drain_time_for_jobs_that_go_on_after_the_answer(world: FakeHost) -> None:
    """A job handed in by a request runs in the web service, which has no request left: it is not killed."""
    world.start(V1, spec=spec(V1, agents_drain_seconds=300))
    for command in ("cutover", "commit"):
        world.call(command, release=V1)
    world.commit(V2)
    world.call("drain", release=V2)
    assert dict(world.engine.stopped) == {
        "acp-v1-0-0-a-ingest-1": 30.0,
        "acp-v1-0-0-a-agents-1": 300.0,
        "acp-v1-0-0-a-worker-1": 120.0,
    }


def test_the_time_for_requests_is_part_of_the_drain_time(world: FakeHost) -> None:
    """A request that hangs does not make a web service wait twice; it has a moment to end in any case."""
    world.start(V1, spec=spec(V1, agents_drain_seconds=300))
    for command in ("cutover", "commit"):
        world.call(command, release=V1)
    world.commit(V2)
    world.edge.sessions[V1] = 10_000
    waited = world.call("drain", release=V2)["seconds"]
    assert waited == pytest.approx(300, abs=1)
    limits = dict(world.engine.stopped)
    assert (limits["acp-v1-0-0-a-agents-1"], limits["acp-v1-0-0-a-worker-1"]) == (10.0, 120.0)
