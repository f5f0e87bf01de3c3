"""What a host does by itself when nobody confirms a trial or parks the old release."""

from __future__ import annotations

from typing import Any

import pytest

from infra.hostctl.lock import locked
from infra.hostctl.supervise import act_if_due, due
from infra.hostctl.watchdog import look
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import V1, V2


def test_nobody_confirms_so_the_host_reverts_by_itself(world: FakeHost) -> None:
    """After the deadline the watchdog reverts and journals it; the driver's next call is told why."""
    world.release(V1)
    world.start(V2, confirm_timeout_seconds=10)
    world.call("shift", release=V2, weight=50)
    world.clock.sleep(9)
    world.call("renew", release=V2)
    world.clock.sleep(9)
    assert look(world.host)
    assert world.host.state.trial is not None
    world.clock.sleep(2)
    assert look(world.host)
    assert not look(world.host)
    assert world.edge.serving() == {V1}
    assert "nobody confirmed within 10 seconds" in refused("trial_over", world, "commit", release=V2).message
    assert any(entry["phase"] == "watchdog" for entry in world.host.journal.tail(100))
    assert world.watchdogs


def test_a_heartbeat_starts_a_watchdog_where_none_is_at_work(world: FakeHost) -> None:
    """A killed watchdog is missed with the next heartbeat; one that is at work is left alone."""
    world.release(V1)
    world.start(V2)
    before = world.watchdogs
    with locked(world.host.paths.watchdog_lock, world.host.clock, wait_seconds=0):
        world.call("renew", release=V2)
    assert world.watchdogs == before
    world.call("renew", release=V2)
    assert world.watchdogs == before + 1


def test_without_a_watchdog_the_next_status_reverts(world: FakeHost) -> None:
    """A watchdog can be killed too; any call does its work."""
    world.release(V1)
    world.start(V2, confirm_timeout_seconds=10)
    world.clock.sleep(11)
    assert world.call("status")["candidate"] is None
    assert world.edge.serving() == {V1}


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        (lambda world: world.edge.restart(), "the edge was restarted"),
        (lambda world: world.engine.change("acp-v1-1-0-b-ingest-1", state="exited"), "ended by itself"),
        (lambda world: world.engine.change("acp-v1-1-0-b-worker-1", state="exited", is_oom_killed=True), "more memory"),
        (lambda world: world.edge.down.add("acp-v1-1-0-b-agents-1"), "took acp-agents"),
    ],
)
def test_what_breaks_during_a_trial_ends_it(world: FakeHost, breaks: Any, reason: str) -> None:
    """The host does not wait for the driver when the candidate or the edge broke."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    breaks(world)
    assert reason in str(due(world.host, world.host.state))
    act_if_due(world.host, wait_seconds=0)
    assert world.edge.serving() == {V1}
    assert reason in refused("trial_over", world, "renew", release=V2).message
    assert reason in world.call("revert", release=V2)["trouble"]


def test_an_old_release_that_nobody_parks_is_parked_by_the_host(world: FakeHost) -> None:
    """A driver that died after the commit leaves nothing running."""
    world.release(V1)
    world.commit(V2)
    assert due(world.host, world.host.state) is None
    world.clock.sleep(61)
    look(world.host)
    assert world.running() == {"acp-v1-1-0-b"}
    assert world.call("status")["parked"] == [V1]


def test_an_old_release_is_parked_as_soon_as_its_deployers_lease_is_over(world: FakeHost) -> None:
    """A deployer that died after the commit is not waited for; one that is alive is."""
    world.release("v1.0.0-a")
    lease = world.call("lease", action="acquire", holder="ci-1", purpose="p", ttl_seconds=10)["lease"]
    held = {"lease": {"holder": "ci-1", "fence": lease["fence"]}}
    world.start("v2.0.0-b", **held)
    for command in ("cutover", "commit"):
        world.call(command, release="v2.0.0-b", **held)
    world.clock.sleep(9)
    act_if_due(world.host, wait_seconds=0)
    assert world.host.state.retiring is not None
    world.clock.sleep(2)
    act_if_due(world.host, wait_seconds=0)
    assert world.host.state.retiring is None
    assert world.call("status")["parked"] == ["v1.0.0-a"]
