"""The phases of a rollout, in order, again and out of order."""

from __future__ import annotations

import dataclasses

import pytest

from infra.hostctl.errors import HostctlError
from infra.hostctl.supervise import due
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import IMAGE, V1, V2


def test_a_first_release_goes_through_all_phases(world: FakeHost) -> None:
    """From an empty host to a committed release that a reboot restores."""
    answer = world.start(V1)
    assert (answer["phase"], answer["first"], answer["previous"]) == ("ready", True, None)
    assert answer["verify"] == {"acp-ingest": 18000, "acp-agents": 18001}
    assert answer["verify_current"] == {}
    assert world.edge.serving() == set()
    assert world.call("cutover", release=V1)["weight"] == 100
    committed = world.call("commit", release=V1)
    position = world.host.journal.position()
    assert committed == {
        "release": V1,
        "phase": "committed",
        "previous": None,
        "journal": {"seq": position.seq, "hash": position.hash},
    }
    assert world.call("drain", release=V1)["drained"] is None
    assert world.call("park", release=V1)["parked"] is None
    assert world.edge.routes_in_use() == "committed"
    assert {c.restart_policy for c in world.engine.all.values()} == {"always"}
    assert world.call("status")["serving"] == V1


def test_a_crash_of_docker_brings_the_committed_release_back_and_no_parked_one(world: FakeHost) -> None:
    """What serves runs again without any call; what is parked, and what is on trial, does not."""
    world.release(V1)
    world.release(V2)
    world.start("v1.2.0-c")
    world.engine.crash()
    assert world.running() == {"acp-v1-1-0-b"}


def test_a_crash_of_docker_brings_the_data_services_back(world: FakeHost) -> None:
    """Their containers stay as they are: only what Docker does with them changes, when they are set up or committed."""
    services = {"postgres": {"restart": "unless-stopped"}, "backup": {"restart": "no"}}
    document = {"services": {name: {"image": name, "networks": ["front"], **body} for name, body in services.items()}}
    world.call("core", project="acp-data", compose=document, images=[])
    ids = {item.id for item in world.engine.containers("acp-data")}
    assert {item.service: item.restart_policy for item in world.engine.containers("acp-data")} == {
        "postgres": "always",
        "backup": "no",
    }
    world.engine.change("acp-data-postgres-1", restart_policy="unless-stopped")  # set up by an earlier hostctl
    world.release(V1)
    world.engine.crash()
    assert "acp-data" in world.running()
    assert {item.id for item in world.engine.containers("acp-data")} == ids


def test_traffic_moves_by_weight_and_the_old_release_is_parked(world: FakeHost) -> None:
    """Shift, cutover, commit, drain and park, with one release serving at any time between."""
    world.release(V1)
    answer = world.start(V2)
    assert answer["previous"] == V1
    assert answer["verify_current"] == {"acp-ingest": 18002, "acp-agents": 18003}
    assert world.edge.serving() == {V1}
    world.call("shift", release=V2, weight=25)
    status = world.call("status")
    assert (status["phase"], status["weight"], status["mixed"]) == ("shift", 25, True)
    world.call("cutover", release=V2)
    assert world.edge.serving() == {V2}
    world.call("commit", release=V2)
    world.call("drain", release=V2)
    assert ("acp-v1-0-0-a-worker-1", 120.0) in world.engine.stopped
    assert "acp-v1-0-0-a" not in world.running()
    assert world.call("status")["parked"] == []
    world.call("park", release=V2)
    assert world.running() == {"acp-v1-1-0-b"}
    status = world.call("status")
    assert (status["previous"], status["parked"], status["drift"]) == (V1, [V1], [])


def test_the_candidates_ports_come_before_the_current_releases(world: FakeHost) -> None:
    """Where the loopback ports do not suffice for both releases, what is left is the current one's."""
    world.release(V1)
    world.edge.settings = dataclasses.replace(world.edge.settings, verify_count=3)
    answer = world.start(V2)
    assert answer["verify"] == {"acp-ingest": 18000, "acp-agents": 18001}
    assert answer["verify_current"] == {"acp-ingest": 18002}


def test_every_phase_again_changes_nothing(world: FakeHost) -> None:
    """Each call of a rollout may be repeated, also after the whole rollout."""
    world.release(V1)
    for command, request in (
        ("start", {}),
        ("shift", {"weight": 9}),
        ("cutover", {}),
        ("commit", {}),
        ("drain", {}),
        ("park", {}),
    ):
        for _ in range(2):
            if command == "start":
                world.start(V2)
            else:
                world.call(command, release=V2, **request)
    answer = world.start(V2)
    assert (answer["phase"], answer["verify_current"]) == ("serving", {})
    assert world.call("cutover", release=V2)["phase"] == "committed"
    assert world.call("renew", release=V2)["deadline_seconds"] is None
    assert len(world.compose.calls) == 2


def test_phases_out_of_order_are_refused(world: FakeHost) -> None:
    """A commit needs a cutover, a shift needs a candidate."""
    refused("wrong_phase", world, "cutover", release=V1)
    world.start(V1)
    refused("wrong_phase", world, "commit", release=V1)
    refused("bad_request", world, "shift", release=V1, weight=101)


def test_the_serving_release_cannot_be_stopped(world: FakeHost) -> None:
    """Stopping is for candidates and parked releases."""
    world.release(V1)
    refused("wrong_phase", world, "stop", release=V1)
    world.start(V2)
    assert world.call("stop", release=V2)["stopped"]
    assert world.edge.serving() == {V1}
    world.release(V2)
    assert world.call("stop", release=V1, remove=True)["removed"]
    assert world.call("status")["previous"] is None


def test_every_mutation_takes_the_host_for_itself(world: FakeHost) -> None:
    """While a call works, the watchdog and other calls keep off."""
    world.release(V1)
    host = world.host
    with host.changing("test", None):
        assert due(world.host, host.state) is None
        with pytest.raises(HostctlError) as caught:
            world.start(V2)
        assert caught.value.code == "busy"


def test_prune_keeps_what_may_be_needed(world: FakeHost) -> None:
    """The oldest parked releases go with their files; current, previous and pinned ones stay."""
    names = [f"v1.{index}.0-x" for index in range(6)]
    for name in names:
        world.release(name)
    answer = world.call("prune", keep=2, pinned=[names[0]])
    assert answer["removed"] == names[1:4]
    assert answer["kept"] == [names[0], names[4]]
    assert IMAGE in world.engine.images
    assert {path.stem for path in world.host.paths.releases.glob("*.json")} == {names[0], names[4], names[5]}
