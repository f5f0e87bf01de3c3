"""A way back after a commit that ends half-way goes on; it never ends on the release that is taken back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl.docker_socket import DockerError
from infra.hostctl.errors import HostctlError
from infra.hostctl.watchdog import look
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import V1, V2, V3

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD, BAD = V1, V2
FINISH: dict[str, Callable[[FakeHost], Any]] = {
    "the same call": lambda world: world.call("revert", release=BAD, reason="again"),
    "the watchdog": lambda world: look(world.host),
    "a status": lambda world: world.call("status"),
    "the next release": lambda world: world.start(V3),
}


def half_way(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back a committed release; Docker hiccups in the commit of the one before."""
    world.release(GOOD)
    world.release(BAD)

    def refuse(name: str, policy: str) -> None:
        raise DockerError(500, "hiccup")

    with monkeypatch.context() as patch:
        patch.setattr(world.engine, "set_restart_policy", refuse)
        refused("docker_error", world, "revert", release=BAD, reason="bad on another host")
    assert world.edge.serving() == {GOOD}
    assert world.host.state.current == BAD


@pytest.mark.parametrize("who", FINISH)
def test_a_way_back_that_ended_half_way_is_finished(world: FakeHost, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """By whoever comes next: the previous release is committed, the other parked, and the reason kept."""
    half_way(world, monkeypatch)
    FINISH[who](world)
    state = world.host.state
    assert (state.current, state.previous, state.parked, state.retiring) == (GOOD, None, (BAD,), None)
    assert world.edge.serving() == {GOOD}
    assert (state.last_trial or {})["release"] == BAD
    assert (state.last_trial or {})["reason"] in {"bad on another host", "again"}


def test_a_revert_again_says_that_it_reverted(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that repeats the call is answered as if the first had done it."""
    half_way(world, monkeypatch)
    answer = world.call("revert", release=BAD, reason="bad")
    assert (answer["reverted"], answer["serving"]) == (True, GOOD)
    assert "bad" in refused("trial_over", world, "renew", release=BAD).message


def test_a_way_back_is_left_alone_by_a_revert_of_trials(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """`trial_only` is about a candidate: it touches nothing else."""
    half_way(world, monkeypatch)
    assert not world.call("revert", release=BAD, trial_only=True)["reverted"]
    assert world.host.state.trial is not None


def test_a_way_back_in_a_state_of_before_is_finished_too(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state file without the fields of today is read, and the same call goes on."""
    half_way(world, monkeypatch)
    path = world.host.paths.state
    kept = json.loads(path.read_text())
    del kept["left"], kept["trial"]["return_reason"]
    path.write_text(json.dumps(kept))
    assert world.call("revert", release=BAD, reason="bad")["serving"] == GOOD
    assert world.host.state.current == GOOD


def test_an_edge_that_lost_the_routes_gets_them_again(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that restarted serves what is taken back, until the way back is finished."""
    half_way(world, monkeypatch)
    world.edge.restart()
    look(world.host)
    assert world.edge.serving() == {GOOD}
    assert world.host.state.current == GOOD


def test_a_worker_that_fails_does_not_keep_the_requests_from_the_previous_release(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The previous release is committed without it, and the error names it."""
    world.release(GOOD)
    world.release(BAD)
    start = world.engine.start

    def refuse(name: str) -> None:
        if name == "acp-v1-0-0-a-worker-1":
            raise DockerError(500, f"{name} cannot be started")
        start(name)

    monkeypatch.setattr(world.engine, "start", refuse)
    error = refused("old_release_not_serving", world, "revert", release=BAD, reason="bad")
    assert "acp-v1-0-0-a-worker-1 cannot be started" in error.message
    state = world.host.state
    assert (state.current, state.trial, state.retiring, state.parked) == (GOOD, None, None, (BAD,))
    assert world.edge.serving() == {GOOD}


def test_a_previous_release_that_is_gone_ends_the_way_back(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its containers were removed meanwhile, what is committed serves, and the host is free."""
    half_way(world, monkeypatch)
    world.engine.remove("acp-v1-0-0-a-worker-1")
    look(world.host)
    assert world.host.state.trial is None
    assert world.edge.serving() == {BAD}


def test_the_next_release_is_not_kept_off_by_a_way_back_that_fails(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be finished either, it is reverted, and the release that was asked for starts."""
    half_way(world, monkeypatch)

    def refuse(*_: Any) -> None:
        raise HostctlError("edge_failed", "no")

    with monkeypatch.context() as patch:
        patch.setattr(world.edge, "write_committed", refuse)
        patch.setattr("infra.hostctl.trial.restore_committed", lambda host: None)
        world.start(V3)
    state = world.host.state
    assert (state.current, state.trial.release if state.trial else None) == (BAD, V3)
