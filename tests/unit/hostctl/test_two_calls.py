"""A start in two calls: the first returns as soon as the containers run, the second waits until they are ready."""

from __future__ import annotations

from typing import Any

import pytest

from infra.hostctl.errors import HostctlError
from infra.hostctl.watchdog import look
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import V1, V2


def held(world: FakeHost) -> dict[str, Any]:
    """Take the lease of the host, and return it as a request has it."""
    lease = world.call("lease", action="acquire", holder="ci-1", purpose="p", ttl_seconds=60)["lease"]
    return {"lease": {"holder": "ci-1", "fence": lease["fence"]}}


def test_the_first_call_does_not_ask_whether_it_is_ready(world: FakeHost) -> None:
    """The candidate runs and is on trial, but no route leads to it; the second call puts it there."""
    world.release(V1)
    assert world.start(V2, ready_later=True)["phase"] == "started"
    assert world.call("status")["phase"] == "started"
    assert world.running() == {"acp-v1-0-0-a", "acp-v1-1-0-b"}
    assert world.edge.routes_in_use() == "committed"
    refused("wrong_phase", world, "cutover", release=V2)
    answer = world.start(V2)
    assert (answer["phase"], answer["changed"], answer["warm"]) == ("ready", True, False)
    assert world.edge.routes_in_use() == "trial"
    assert len(world.compose.calls) == 2
    for command in ("cutover", "commit", "drain", "park"):
        world.call(command, release=V2)
    assert world.call("status")["serving"] == V2


def test_a_kept_release_is_warm_in_two_calls_too(world: FakeHost) -> None:
    """Compose is not asked, and what is reverted then is kept again."""
    world.release(V1)
    world.release(V2)
    assert world.start(V1, ready_later=True)["phase"] == "started"
    assert world.start(V1)["warm"]
    assert len(world.compose.calls) == 2
    world.call("revert", release=V1)
    assert world.call("status")["parked"] == [V1]


def test_the_first_call_again_gives_it_time(world: FakeHost) -> None:
    """A runner that asks twice starts nothing twice."""
    world.start(V1, ready_later=True, confirm_timeout_seconds=10)
    world.clock.sleep(8)
    assert not world.start(V1, ready_later=True)["changed"]
    world.clock.sleep(8)
    look(world.host)
    assert world.start(V1)["phase"] == "ready"
    assert len(world.compose.calls) == 1


def test_nobody_comes_for_a_started_candidate_so_it_goes(world: FakeHost) -> None:
    """A runner that is gone between the calls leaves nothing: the host waits for the deadline and reverts."""
    world.release(V1)
    world.start(V2, ready_later=True, confirm_timeout_seconds=10)
    world.clock.sleep(9)
    assert look(world.host)
    assert world.running() == {"acp-v1-0-0-a", "acp-v1-1-0-b"}
    world.clock.sleep(2)
    look(world.host)
    assert world.running() == {"acp-v1-0-0-a"}
    assert "nobody confirmed within 10 seconds" in world.call("status")["last_trial"]["reason"]
    assert world.start(V2)["phase"] == "ready"


def test_a_started_candidate_waits_as_long_as_its_lease_is_renewed(world: FakeHost) -> None:
    """Another host may pull for longer than a trial lives; once the deployer is silent the trial is over."""
    world.release(V1)
    lease = held(world)
    world.start(V2, ready_later=True, confirm_timeout_seconds=10, **lease)
    for _ in range(3):
        world.clock.sleep(40)
        world.call("lease", action="renew", **lease)
        assert look(world.host)
    assert world.call("status")["phase"] == "started"
    world.clock.sleep(61)
    look(world.host)
    assert world.running() == {"acp-v1-0-0-a"}
    assert "nobody confirmed within 10 seconds" in world.call("status")["last_trial"]["reason"]


def test_a_ready_candidate_does_not_live_by_its_lease(world: FakeHost) -> None:
    """From the second call on the rollout renews the trial itself."""
    world.release(V1)
    lease = held(world)
    world.start(V2, confirm_timeout_seconds=10, **lease)
    world.clock.sleep(11)
    world.call("lease", action="renew", **lease)
    look(world.host)
    assert world.running() == {"acp-v1-0-0-a"}


def test_one_that_ended_in_between_says_so_to_the_second_call(world: FakeHost) -> None:
    """The host does not put it away before its reason and its last lines were told."""
    world.release(V1)
    world.start(V2, ready_later=True)
    world.engine.change("acp-v1-1-0-b-agents-1", state="exited", exit_code=3)
    look(world.host)
    with pytest.raises(HostctlError) as caught:
        world.start(V2)
    assert caught.value.code == "crash_loop"
    assert caught.value.details["logs"]
    assert world.running() == {"acp-v1-0-0-a"}
    assert "crash_loop" in world.call("revert", release=V2)["trouble"]


def test_a_reboot_in_between_ends_the_trial(world: FakeHost) -> None:
    """As it ends every trial."""
    world.release(V1)
    world.start(V2, ready_later=True)
    world.clock.boot = "boot-2"
    look(world.host)
    assert "rebooted" in world.call("status")["last_trial"]["reason"]


def test_the_lease_is_given_back_only_by_the_call_that_nobody_follows(world: FakeHost) -> None:
    """The first call's failure is the end of its run; after the second the driver still reverts the other hosts."""
    world.release(V1)
    lease = held(world)
    world.compose.broken = {"ingest": {"state": "exited", "exit_code": 3}}
    world.start(V2, ready_later=True, **lease)
    with pytest.raises(HostctlError, match="does not stay up"):
        world.start(V2, **lease)
    assert world.call("lease", action="renew", **lease)["lease"]["holder"] == "ci-1"
    world.compose.problem = HostctlError("compose_failed", "no")
    with pytest.raises(HostctlError, match="no"):
        world.start(V2, ready_later=True, **lease)
    refused("lease_lost", world, "lease", action="renew", **lease)


def test_an_activation_takes_it_up_as_well(world: FakeHost) -> None:
    """Whoever asks next for the release waits for it."""
    world.start(V1, ready_later=True)
    assert world.call("activate", release=V1)["phase"] == "ready"
