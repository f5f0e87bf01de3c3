"""Reverts, from every phase."""

from __future__ import annotations

import errno
import json

import pytest

from infra.hostctl.errors import HostctlError
from infra.hostctl.lease import LeaseRef, Leases
from infra.hostctl.supervise import act_if_due
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import V1, V2, V3, spec


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


def test_what_hangs_is_killed_before_anything_is_waited_for(world: FakeHost) -> None:
    """Those who wait for a service that does not answer are asked again as soon as it is gone; others finish."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    world.engine.stopped.clear()
    world.call("revert", release=V2, reason="no answers", hanging=["acp-ingest", "no-such-service"])
    first, *others = world.engine.stopped
    assert first == ("acp-v1-1-0-b-ingest-1", 0)
    assert all(seconds > 0 for _, seconds in others)
    assert world.edge.serving() == {V1}


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


@pytest.mark.parametrize(("seconds", "weight", "limit"), [(120, 1, 120.0), (120, 0, 10.0), (3600, 50, 300.0)])
def test_a_candidate_that_users_asked_finishes_their_jobs(
    world: FakeHost, seconds: float, weight: int, limit: float
) -> None:
    """Each service has its own time, within what the caller of a revert waits; what checks began is not waited for."""
    world.release(V1)
    world.start(V2, spec=spec(V2, agents_drain_seconds=seconds))
    if weight:
        world.call("shift", release=V2, weight=weight)
    world.call("revert", release=V2)
    assert dict(world.engine.stopped)["acp-v1-1-0-b-agents-1"] == limit
    assert world.edge.serving() == {V1}


def test_a_candidates_requests_have_the_time_of_their_service(world: FakeHost) -> None:
    """A long answer that a user waits for is not cut because its release was no good."""
    world.release(V1)
    world.start(V2, spec=spec(V2, agents_drain_seconds=120))
    world.call("cutover", release=V2)
    world.edge.sessions[V2] = 10_000
    answer = world.call("revert", release=V2)
    assert answer["restore_seconds"] == 0
    assert answer["seconds"] == pytest.approx(120, abs=2)


def test_who_lost_the_host_meanwhile_reverts_nothing_on_a_full_disk(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written down is looked at again: the lease may have gone to somebody else since the call came."""
    world.release(V1)
    fence = world.call("lease", action="acquire", holder="ci", purpose="v2")["lease"]["fence"]
    mine = {"lease": {"holder": "ci", "fence": fence}}
    world.start(V2, **mine)
    world.call("cutover", release=V2, **mine)

    def renew(leases: Leases, ref: LeaseRef) -> None:
        kept = json.loads(world.host.paths.lease.read_text())
        world.host.paths.lease.write_text(json.dumps({**kept, "holder": "ci-2", "fence": ref.fence + 1}))
        raise HostctlError("disk_full", "no space left")

    monkeypatch.setattr(Leases, "renew", renew)
    refused("lease_lost", world, "revert", release=V2, **mine)
    assert world.edge.serving() == {V2}


@pytest.mark.parametrize("has_lease", [True, False])
def test_a_disk_without_any_room_does_not_keep_the_traffic_on_the_candidate(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch, *, has_lease: bool
) -> None:
    """Not even the heartbeat of the lease can be written: the traffic goes back, and the rest is done by itself."""
    world.release(V1)
    fence = world.call("lease", action="acquire", holder="ci", purpose="v2")["lease"]["fence"] if has_lease else 0
    mine = {"lease": {"holder": "ci", "fence": fence}} if has_lease else {}
    world.start(V2, confirm_timeout_seconds=10, **mine)
    world.call("shift", release=V2, weight=50, **mine)

    def no_room(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", no_room)
        if has_lease:
            refused("lease_lost", world, "revert", release=V2, lease={"holder": "ci", "fence": fence + 1})
            refused("lease_held", world, "revert", release=V2)
            assert world.edge.serving() == {V1, V2}
        refused("disk_full", world, "revert", release=V2, **mine)
        assert world.edge.serving() == {V1}
        refused("disk_full", world, "renew", release=V2, **mine)
    world.clock.sleep(11)
    act_if_due(world.host, wait_seconds=0)
    assert world.host.state.trial is None
    assert world.running() == {"acp-v1-0-0-a"}
