"""The start of a release that is kept from before."""

from __future__ import annotations

from infra.hostctl import trial
from infra.hostctl.watchdog import look
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import IMAGE, V1, V2, V3


def test_a_parked_release_starts_warm_without_images_or_secrets(world: FakeHost) -> None:
    """Activation starts the kept containers; one without containers is refused."""
    world.release(V1)
    world.release(V2)
    world.engine.images.clear()
    world.engine.images.add(IMAGE)
    calls = len(world.compose.calls)
    assert world.call("activate", release=V1)["phase"] == "ready"
    for command in ("cutover", "commit", "drain", "park"):
        world.call(command, release=V1)
    assert len(world.compose.calls) == calls
    assert world.call("status")["serving"] == V1
    refused("unknown_release", world, "activate", release=V3)
    world.engine.remove("acp-v1-1-0-b-ingest-1")
    refused("no_parked_release", world, "activate", release=V2)


def test_the_workers_of_a_warm_start_wait_for_its_requests(world: FakeHost) -> None:
    """They would take processors from what requests wait for; nobody misses them, until one ends that was started."""
    worker, beside = "acp-v1-0-0-a-worker-1", "acp-v1-1-0-b-worker-1"
    world.release(V1)
    world.release(V2)
    world.call("activate", release=V1)
    look(world.host)
    assert world.host.state.trial is not None
    assert (world.engine.all[worker].is_running, world.engine.all[beside].is_running) == (False, True)
    world.call("cutover", release=V1)
    assert (world.engine.all[worker].is_running, world.engine.all[beside].is_running) == (True, True)
    world.engine.change(worker, state="exited")
    look(world.host)
    assert world.call("status")["last_trial"]["reason"] == f"{worker} ended by itself"
    assert world.call("status")["serving"] == V2


def test_an_update_to_a_kept_release_starts_its_workers_with_it(world: FakeHost) -> None:
    """Its checks ask for every replica before any traffic; only who goes back in a hurry has the workers later."""
    worker = "acp-v1-0-0-a-worker-1"
    world.release(V1)
    world.release(V2)
    assert world.start(V1)["warm"]
    assert world.engine.all[worker].is_running
    world.call("revert", release=V1)
    assert not world.engine.all[worker].is_running
    assert world.start(V1, workers_later=True)["warm"]
    assert not world.engine.all[worker].is_running
    world.call("cutover", release=V1)
    assert world.engine.all[worker].is_running


def test_a_commit_starts_the_workers_that_a_cutover_did_not(world: FakeHost) -> None:
    """A cutover that was cut off before its workers leaves nothing out."""
    world.release(V1)
    world.release(V2)
    world.call("activate", release=V1)
    current = world.host.state.trial
    assert current is not None
    with world.host.changing("cutover", None):
        trial.move(world.host, current, trial.FULL)
    world.call("commit", release=V1)
    assert world.engine.all["acp-v1-0-0-a-worker-1"].is_running


def test_a_reverted_warm_start_is_parked_again(world: FakeHost) -> None:
    """What was parked before its trial is kept."""
    world.release(V1)
    world.release(V2)
    world.call("activate", release=V1)
    world.call("revert", release=V1)
    assert world.call("status")["parked"] == [V1]
    assert world.running() == {"acp-v1-1-0-b"}
