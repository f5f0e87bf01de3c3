"""Reverts, from every phase."""

from __future__ import annotations

import errno

import pytest

from infra.hostctl.supervise import act_if_due
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import V1, V2, V3


def test_a_revert_sends_traffic_back_before_anything_else(world: FakeHost) -> None:
    """The old release has all traffic at once; then the candidate's requests finish and it is removed."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    world.edge.sessions[V2] = 5
    answer = world.call("revert", release=V2, reason="errors")
    assert answer["reverted"]
    assert answer["serving"] == V1
    assert answer["restore_seconds"] == 0
    assert answer["seconds"] > 0
    assert world.edge.serving() == {V1}
    assert {c.project for c in world.engine.all.values()} == {"acp-v1-0-0-a"}
    assert world.call("status")["last_trial"]["reason"] == "errors"
    assert not world.call("revert", release=V2)["reverted"]


def test_a_revert_starts_the_old_release_if_it_does_not_run(world: FakeHost) -> None:
    """A release that died meanwhile is started again before the candidate goes."""
    world.release(V1)
    world.start(V2)
    world.engine.change("acp-v1-0-0-a-ingest-1", state="exited")
    world.call("revert", release=V2)
    assert world.edge.serving() == {V1}


def test_a_revert_that_leaves_nothing_serving_says_so(world: FakeHost) -> None:
    """Where the old release does not answer either, the error is its own."""
    world.release(V1)
    world.start(V2)
    world.engine.change("acp-v1-0-0-a-ingest-1", exit_code=9)
    refused("old_release_not_serving", world, "revert", release=V2)
    assert world.host.state.trial is None


def test_a_revert_after_the_commit_brings_the_parked_release_back(world: FakeHost) -> None:
    """After commit and park the previous release is started, serves and is committed; the other is parked."""
    world.release(V1)
    world.release(V2)
    answer = world.call("revert", release=V2, reason="late")
    assert answer["serving"] == V1
    status = world.call("status")
    assert (status["current"], status["serving"], status["parked"], status["drift"]) == (V1, V1, [V2], [])
    world.release(V3)
    assert world.call("status")["current"] == V3


def test_a_revert_of_a_trial_only_leaves_what_is_committed(world: FakeHost) -> None:
    """Where the release served before the run that fails, it goes on."""
    world.release(V1)
    world.release(V2)
    answer = world.call("revert", release=V2, reason="elsewhere", trial_only=True)
    assert (answer["reverted"], answer["serving"]) == (False, V2)
    world.start(V3)
    assert world.call("revert", release=V3, reason="bad", trial_only=True)["serving"] == V2


def test_a_revert_between_commit_and_park_needs_no_start(world: FakeHost) -> None:
    """The old release that still runs gets the traffic back."""
    world.release(V1)
    world.commit(V2)
    world.call("revert", release=V2)
    assert world.call("status")["serving"] == V1
    assert world.running() == {"acp-v1-0-0-a"}


def test_a_revert_tells_what_became_of_the_candidate(world: FakeHost) -> None:
    """The driver, which only saw failing requests, learns that the candidate was killed."""
    world.release(V1)
    world.start(V2)
    assert world.call("revert", release=V2)["trouble"] == ""
    world.start(V2)
    world.engine.change("acp-v1-1-0-b-ingest-1", state="exited", is_oom_killed=True)
    answer = world.call("revert", release=V2, reason="7 of 62 requests failed")
    assert (answer["reverted"], "more memory" in answer["trouble"]) == (True, True)


@pytest.mark.parametrize("who", ["driver", "watchdog"])
def test_a_full_disk_stops_a_rollout_but_not_its_revert(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """Nothing moves that cannot be written down; the room kept back is enough to go back."""
    world.release(V1)
    world.start(V2, confirm_timeout_seconds=10)
    world.call("shift", release=V2, weight=50)
    reserve = world.host.paths.reserve
    assert reserve.exists()

    def no_room(descriptor: int) -> None:
        if reserve.exists():
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", no_room)
    refused("disk_full", world, "cutover", release=V2)
    assert world.edge.serving() == {V1, V2}
    if who == "driver":
        world.call("revert", release=V2)
    else:
        world.clock.sleep(11)
        act_if_due(world.host, wait_seconds=0)
    assert world.edge.serving() == {V1}
    assert world.host.state.trial is None
