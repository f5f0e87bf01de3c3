from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from infra.hostctl.errors import HostctlError
from infra.hostctl.lease import LeaseRef, Leases
from infra.hostctl.lock import locked
from infra.hostctl.paths import Paths
from tests.unit.hostctl.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from tests.unit.hostctl.fake_host import FakeHost


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock."""
    return FakeClock()


@pytest.fixture
def leases(tmp_path: Path, clock: FakeClock) -> Leases:
    """Return the leases of a new host."""
    paths = Paths(tmp_path)
    return Leases(paths.lease, paths.lease_lock, paths.lock, paths.own_work_lock, cast("Clock", clock))


def refused(code: str, action: object) -> HostctlError:
    """Assert that an action is refused with a code."""
    with pytest.raises(HostctlError) as caught:
        action()  # type: ignore[operator]
    assert caught.value.code == code
    return caught.value


def test_a_second_deployer_is_told_who_holds_the_host(leases: Leases) -> None:
    """The answer names holder, since when and what for."""
    leases.acquire("ci-1", "release v1", 30)
    error = refused("lease_held", lambda: leases.acquire("ci-2", "release v2", 30))
    assert error.details["lease"]["holder"] == "ci-1"
    assert "release v1" in error.message


def test_a_stale_lease_is_taken_over_and_its_holder_refused(leases: Leases, clock: FakeClock) -> None:
    """After its time a lease goes to the next; whoever wakes up late is refused, also to renew."""
    first, _ = leases.acquire("ci-1", "v1", 30)
    clock.sleep(30.1)
    second, taken_from = leases.acquire("ci-2", "v2", 30)
    assert second.fence > first.fence
    assert taken_from is not None
    assert taken_from.holder == "ci-1"
    late = LeaseRef("ci-1", first.fence)
    refused("lease_lost", lambda: leases.renew(late))
    refused("lease_lost", lambda: leases.refuse_if_held(late))


def test_a_heartbeat_keeps_the_lease(leases: Leases, clock: FakeClock) -> None:
    """Renewed in time, a lease stays; late but not taken, it can still be renewed."""
    lease, _ = leases.acquire("ci-1", "v1", 30)
    ref = LeaseRef("ci-1", lease.fence)
    for _ in range(5):
        clock.sleep(20)
        leases.renew(ref)
    refused("lease_held", lambda: leases.acquire("ci-2", "v2", 30))
    clock.sleep(100)
    assert leases.renew(ref).fence == lease.fence


def test_a_lease_whose_call_is_at_work_is_not_taken_over(leases: Leases, tmp_path: Path, clock: FakeClock) -> None:
    """A start may take longer than the heartbeat's time: until it ends nobody else gets the host."""
    leases.acquire("ci-1", "release v1", 30)
    clock.sleep(45)
    with locked(tmp_path / "lock", cast("Clock", clock), wait_seconds=0):
        refused("lease_held", lambda: leases.acquire("ci-2", "release v2", 30))
    leases.acquire("ci-2", "release v2", 30)


def test_a_call_that_was_the_runs_last_gives_the_lease_back_when_it_fails(world: FakeHost) -> None:
    """After a candidate that did not start the next release need not wait for a dead run's lease to end."""
    lease, _ = world.host.leases.acquire("ci-1", "release v1", 30)
    ref = LeaseRef("ci-1", lease.fence)
    with pytest.raises(HostctlError), world.host.changing("start v1", ref, is_final_on_failure=True):
        raise HostctlError("crash_loop", "it ended by itself")
    world.host.leases.acquire("ci-2", "release v2", 30)


def test_the_fence_only_grows(leases: Leases) -> None:
    """Each acquisition has a higher number, also after a release."""
    fences = []
    for _ in range(3):
        lease, _ = leases.acquire("ci", "v", 30)
        fences.append(lease.fence)
        assert leases.release(LeaseRef("ci", lease.fence))
    assert fences == sorted(set(fences))
    assert not leases.release(LeaseRef("ci", 1))


def test_a_reboot_ends_a_lease(leases: Leases, clock: FakeClock) -> None:
    """Seconds of another boot mean nothing, so a lease of before is stale."""
    leases.acquire("ci-1", "v1", 60)
    clock.boot = "boot-2"
    leases.acquire("ci-2", "v2", 60)


def test_the_lease_of_a_call_ends_with_the_call(leases: Leases, tmp_path: Path, clock: FakeClock) -> None:
    """While a call without a lease works, a deployer is kept out; when it died, nobody waits for it."""
    with locked(tmp_path / "lock", cast("Clock", clock), wait_seconds=0):
        leases.acquire_for_call("start v1")
        refused("lease_held", lambda: leases.acquire("ci-1", "v1", 30))
        assert leases.shown() is not None
    leases.refuse_if_held(None)
    assert leases.shown() is None
    leases.acquire("ci-1", "v1", 30)


def test_a_call_without_a_lease_is_refused_while_somebody_holds_one(world: FakeHost) -> None:
    """A lease keeps out who has none, and lets its holder in."""
    lease = world.call("lease", action="acquire", holder="ci-1", purpose="v1")["lease"]
    refused("lease_held", lambda: world.start("v1.0.0-a"))
    assert not world.host.paths.state.exists()
    world.start("v1.0.0-a", lease={"holder": "ci-1", "fence": lease["fence"]})
    refused("lease_lost", lambda: world.call("cutover", release="v1.0.0-a", lease={"holder": "ci-1", "fence": 99}))


def test_a_call_without_a_lease_makes_an_older_lease_stale(world: FakeHost) -> None:
    """Who was not heard of while somebody else worked is refused afterwards."""
    lease = world.call("lease", action="acquire", holder="ci-1", purpose="v1", ttl_seconds=5)["lease"]
    world.clock.sleep(6)
    world.start("v1.0.0-a")
    late = {"holder": "ci-1", "fence": lease["fence"]}
    refused("lease_lost", lambda: world.call("cutover", release="v1.0.0-a", lease=late))


@pytest.mark.parametrize("ttl", [4, 61])
def test_a_lease_cannot_outlive_a_minute(world: FakeHost, ttl: int) -> None:
    """A dead holder's lease is free within 60 seconds."""
    refused("bad_request", lambda: world.call("lease", action="acquire", holder="x", purpose="y", ttl_seconds=ttl))
