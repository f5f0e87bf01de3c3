"""What serves gets a busy processor before what starts up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl import precedence
from infra.hostctl.docker_socket import DockerError
from infra.hostctl.precedence import FIRST_SHARES, LAST_SHARES, SERVING_SHARES
from tests.unit.hostctl.release_spec import V1, V2, V3, spec

if TYPE_CHECKING:
    from tests.unit.hostctl.fake_host import FakeHost

FIRST, SECOND, THIRD = "acp-v1-0-0-a", "acp-v1-1-0-b", "acp-v1-2-0-c"
INGEST = f"{FIRST}-ingest-1"


@pytest.fixture(autouse=True)
def load(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give this machine a load of two processes per processor, which a test may change."""
    found = [2.0 * (os.cpu_count() or 1)]
    monkeypatch.setattr(precedence.os, "getloadavg", lambda: (found[0], 0.0, 0.0))
    return found


def shares(world: FakeHost, project: str) -> set[int]:
    """Return the shares of a project's containers."""
    return {container.cpu_shares for container in world.engine.containers(project)}


def test_a_candidate_takes_nothing_from_what_serves_until_it_is_ready(world: FakeHost) -> None:
    """From then on both are compared, as equals."""
    world.release(V1)
    for until in ("started", "answering"):
        world.start(V2, until=until)
        assert (shares(world, FIRST), shares(world, SECOND)) == ({SERVING_SHARES}, {0})
    world.start(V2)
    assert (shares(world, FIRST), shares(world, SECOND)) == ({SERVING_SHARES}, {SERVING_SHARES})


def test_what_serves_since_before_there_was_precedence_is_equal_too(world: FakeHost) -> None:
    """Also where a release was kept since then."""
    world.release(V1)
    world.release(V2)
    for name in world.engine.all:
        world.engine.change(name, cpu_shares=0)
    world.start(V3)
    assert (shares(world, SECOND), shares(world, THIRD)) == ({SERVING_SHARES}, {SERVING_SHARES})
    world.call("revert", release=V3)
    world.release(V1)
    assert shares(world, FIRST) == {SERVING_SHARES}


def test_a_release_that_spins_makes_way_for_the_one_before(world: FakeHost, load: list[float]) -> None:
    """The way back needs the processor; what it left, or came back to, has its place again the next time."""
    world.release(V1)
    world.release(V2)
    world.call("activate", release=V1)
    assert (shares(world, FIRST), shares(world, SECOND)) == ({SERVING_SHARES}, {SERVING_SHARES})
    world.call("revert", release=V1)
    load[0] += 0.1
    world.call("activate", release=V1)
    assert (shares(world, FIRST), shares(world, SECOND)) == ({SERVING_SHARES}, {LAST_SHARES})
    world.call("revert", release=V1)
    assert (shares(world, FIRST), shares(world, SECOND)) == ({SERVING_SHARES}, {SERVING_SHARES})
    world.release(V1)
    assert (shares(world, FIRST), shares(world, SECOND)) == ({SERVING_SHARES}, {SERVING_SHARES})


def test_a_busy_release_makes_no_way_for_a_new_one(world: FakeHost, load: list[float]) -> None:
    """Its users need it while something new starts up beside it."""
    world.release(V1)
    load[0] += 0.1
    world.start(V2, until="started")
    assert shares(world, FIRST) == {SERVING_SHARES}


def test_the_edge_and_the_data_services_come_first_with_a_commit(world: FakeHost) -> None:
    """Requests wait for them as well; what runs beside them is left alone."""
    document: dict[str, Any] = {"services": {"postgres": {"image": "postgres", "networks": ["front"]}}}
    for project in ("acp-edge", "acp-data", "others"):
        world.host.compose.up(project, document)
    world.host.paths.core.mkdir(parents=True)
    (world.host.paths.core / "acp-data.json").write_text("{}")
    world.start(V1)
    assert shares(world, "acp-edge") == {0}
    world.commit(V1)
    assert [shares(world, project) for project in ("acp-edge", "acp-data", "others")] == [
        {FIRST_SHARES},
        {FIRST_SHARES},
        {0},
    ]


def test_a_share_that_somebody_chose_stays(world: FakeHost) -> None:
    """The compose file says so, whatever the rest of its release gets."""
    document = spec(V1)
    document["compose"]["services"]["ingest"]["cpu_shares"] = 512
    world.start(V1, spec=document, until="started")
    world.engine.change(INGEST, cpu_shares=512)
    world.start(V1, spec=document)
    for command in ("cutover", "commit"):
        world.call(command, release=V1)
    found = {item.name: item.cpu_shares for item in world.engine.containers(FIRST)}
    assert found == {name: 512 if name == INGEST else SERVING_SHARES for name in found}


def test_a_host_that_cannot_rank_serves_as_well(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rootless engine may lack the right: no reason to fail a release."""

    def refuse(name: str, shares: int) -> None:
        raise DockerError(500, f"{name}: no cpu controller for {shares}")

    monkeypatch.setattr(world.engine, "set_cpu_shares", refuse)
    world.release(V1)
    world.release(V2)
    assert world.call("status")["serving"] == V2
