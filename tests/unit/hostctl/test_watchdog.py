"""The watchdog goes on whatever a look meets, and the host does with it what callers left undone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl import fleet, watchdog
from infra.hostctl.docker_socket import DockerError
from infra.hostctl.errors import HostctlError
from tests.unit.hostctl.fake_host import refused
from tests.unit.hostctl.release_spec import V1, V2, V3

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.hostctl.fake_host import FakeHost

LEFT = "acp-v1-1-0-b-ingest-1"


def pauses(world: FakeHost, monkeypatch: pytest.MonkeyPatch, looks: list[Any], *, acts: bool = True) -> list[float]:
    """Let the watchdog's looks end like this, one after another; return how long it paused after each."""
    slept: list[float] = []
    monkeypatch.setattr(world.clock, "sleep", slept.append)

    def look(_host: object, *, on_act: Callable[[], None]) -> bool:
        outcome = looks.pop(0)
        if acts:
            on_act()
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    monkeypatch.setattr(watchdog, "look", look)
    watchdog.watch(world.host)
    return slept


def told(world: FakeHost) -> list[str]:
    """Return the failures in the journal."""
    return [entry["error"] for entry in world.host.journal.tail(100) if entry["step"] == "failed"]


def test_a_watchdog_looks_later_each_time_that_it_fails(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be done now is tried at most every 30 seconds, and said once; then it looks as before."""
    refusal = HostctlError("docker_error", "cannot remove it")
    slept = pauses(world, monkeypatch, [True, *[refusal] * 8, True, refusal, False])
    assert slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 0.5, 1]
    assert told(world) == ["cannot remove it"] * 2


def test_a_look_that_did_nothing_is_made_again_at_once(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Docker that is away for a while keeps no trial longer on its traffic than that."""
    refusal = HostctlError("docker_error", "is not there")
    assert pauses(world, monkeypatch, [refusal] * 8 + [False], acts=False) == [0.5] * 8


def test_a_state_of_another_version_is_left_to_its_watchdog(world: FakeHost) -> None:
    """The lock of the one that cannot read it would keep the new one out."""
    world.start(V1)
    path = world.host.paths.state
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "shape": 2}), encoding="utf-8")
    with pytest.raises(HostctlError, match="another hostctl wrote"):
        _ = world.host.state
    before = world.clock.monotonic()
    watchdog.watch(world.host)
    assert world.clock.monotonic() == before


@pytest.mark.parametrize("can_write", [True, False])
def test_a_watchdog_survives_what_nobody_thought_of(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch, *, can_write: bool
) -> None:
    """A host that can start no thread for a moment still has its trial reverted, with or without a journal."""
    if not can_write:
        monkeypatch.setattr("infra.hostctl.journal.Journal.note", lambda *_, **__: 1 / 0)
    error = RuntimeError("can't start new thread")
    assert pauses(world, monkeypatch, [error, error, OSError("no"), False]) == [1, 2, 4]
    assert told(world) == (["RuntimeError", "OSError"] if can_write else [])


def test_a_first_release_has_its_own_routes_from_its_commit_on(world: FakeHost) -> None:
    """It need not be parked for: those of the trial are strict and have no way out."""
    world.commit(V1)
    assert world.edge.routes_in_use() == "committed"
    assert world.edge.serving() == {V1}


@pytest.mark.parametrize("who", ["watchdog", "status"])
def test_routes_of_a_trial_that_is_over_are_replaced(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """Where the commit could not do that, the host does."""

    def refuse() -> None:
        raise HostctlError("edge_failed", "not now")

    with monkeypatch.context() as patch:
        patch.setattr(world.edge, "load_committed", refuse)
        world.commit(V1)
    assert world.edge.routes_in_use() == "trial"
    if who == "watchdog":
        assert watchdog.look(world.host)
        assert not watchdog.look(world.host)
    else:
        world.call("status")
    assert world.edge.routes_in_use() == "committed"
    assert world.edge.serving() == {V1}


def keep_from_removal(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Docker refuse to remove one container."""
    remove = world.engine.remove

    def refuse(name: str) -> None:
        if name == LEFT:
            raise DockerError(500, f"cannot remove {name}: device or resource busy")
        remove(name)

    monkeypatch.setattr(world.engine, "remove", refuse)


def test_a_container_that_docker_does_not_remove_keeps_no_host_on_trial(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revert ends; the container stays stopped, is named by the status, and goes with a later start."""
    world.release(V1)
    world.start(V2)
    with monkeypatch.context() as patch:
        keep_from_removal(world, patch)
        assert world.call("revert", release=V2, reason="bad")["serving"] == V1
        assert (world.host.state.trial, world.host.state.left) == (None, (V2,))
        assert "belongs to no known release" in world.call("status")["drift"][0]["what"]
        assert any(entry["step"] == "left" and "busy" in entry["error"] for entry in world.host.journal.tail(20))
        world.release(V3)
        assert set(world.engine.all) & {LEFT}
        assert world.host.paths.release(V2).exists()
    world.call("stop", release=V1)
    assert (world.host.state.left, LEFT in world.engine.all) == ((), False)
    assert not world.host.paths.release(V2).exists()
    assert world.call("status")["drift"] == []


def test_a_candidate_that_was_left_may_be_released_later(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is on trial again, that alone says what becomes of it: nothing removes it when it serves."""
    world.release(V1)
    world.start(V2)
    with monkeypatch.context() as patch:
        keep_from_removal(world, patch)
        world.call("revert", release=V2)
        world.release(V2)
    world.call("stop", release=V1)
    assert world.edge.serving() == {V2}
    assert world.call("status")["drift"] == []


def test_a_candidate_that_still_runs_is_not_left(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Docker neither stops nor removes takes tasks: its trial stays until it is gone."""
    world.release(V1)
    world.start(V2)
    keep_from_removal(world, monkeypatch)
    stop = fleet.stop

    def stop_and_run_again(host: Any, spec: Any, **options: Any) -> None:
        stop(host, spec, **options)
        world.engine.change(LEFT, state="running")

    monkeypatch.setattr(fleet, "stop", stop_and_run_again)
    refused("docker_error", world, "revert", release=V2)
    assert world.host.state.trial is not None
    assert world.edge.serving() == {V1}
