"""What callers get while the host ends something by itself, which may take as long as a drain."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl.lock import locked
from infra.hostctl.watchdog import look
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import V1, V2, V3, spec

if TYPE_CHECKING:
    from collections.abc import Callable

DRAIN_SECONDS = 300.0


def lease_of(world: FakeHost, holder: str) -> dict[str, Any]:
    """Take the lease; return what its holder's calls say."""
    lease = world.call("lease", action="acquire", holder=holder, purpose="p")["lease"]
    return {"lease": {"holder": holder, "fence": lease["fence"]}}


def while_stopping(world: FakeHost, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> list[float]:
    """Do `action` once while a container is being stopped; return the list that gets the time that it took."""
    stop = world.engine.stop
    took: list[float] = []

    def slow(name: str, *, timeout_seconds: float) -> None:
        if name.endswith("worker-1") and not took:
            began = world.clock.monotonic()
            took.append(0.0)
            action()
            took[0] = world.clock.monotonic() - began
        stop(name, timeout_seconds=timeout_seconds)

    monkeypatch.setattr(world.engine, "stop", slow)
    return took


@contextlib.contextmanager
def at_work(world: FakeHost, monkeypatch: pytest.MonkeyPatch, *, is_own: bool, then: Callable[[], Any] = int) -> Any:
    """Hold the host as a call does that takes as long as a drain, and do something at its end."""
    paths, clock, sleep = world.host.paths, world.host.clock, world.clock.sleep
    until = clock.monotonic() + DRAIN_SECONDS
    with contextlib.ExitStack() as held, monkeypatch.context() as patch:
        held.enter_context(locked(paths.lock, clock, wait_seconds=0))
        if is_own:
            held.enter_context(locked(paths.own_work_lock, clock, wait_seconds=0))
        ends = [then]

        def wait(seconds: float) -> None:
            sleep(seconds)
            if ends and clock.monotonic() > until:
                held.close()
                ends.pop()()

        patch.setattr(world.clock, "sleep", wait)
        yield


@pytest.mark.parametrize(
    ("command", "request_"), [("renew", {}), ("shift", {"weight": 50}), ("cutover", {}), ("commit", {})]
)
def test_who_asks_for_more_of_a_trial_hears_at_once_why_the_host_ends_it(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch, command: str, request_: dict[str, Any]
) -> None:
    """The reason is known before the candidate has finished what it works on."""
    world.release(V1)
    mine = lease_of(world, "ci-1")
    world.start(V2, **mine)
    world.call("cutover", release=V2, **mine)
    world.edge.down.add("acp-v1-1-0-b-agents-1")

    def ask() -> None:
        assert world.edge.serving() == {V1}
        error = refused("trial_over", world, command, release=V2, **request_, **mine)
        assert "took acp-agents" in error.message
        assert "took acp-agents" in error.details["reason"]
        refused("lease_lost", world, command, release=V2, **request_, lease={"holder": "ci-2", "fence": 99})

    took = while_stopping(world, monkeypatch, ask)
    look(world.host)
    assert took == [0.0]
    assert world.host.state.trial is None


@pytest.mark.parametrize("is_own", [True, False])
def test_a_revert_waits_for_its_turn_as_long_as_a_drain_takes(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch, *, is_own: bool
) -> None:
    """Its caller, who waits for longer than that, learns how it ended, and meanwhile that something else is ended."""
    world.release(V1)
    mine = lease_of(world, "ci-1")
    world.start(V2, confirm_timeout_seconds=3600, **mine)
    with at_work(world, monkeypatch, is_own=is_own):
        assert world.call("revert", release=V2, **mine)["reverted"]
    assert world.edge.serving() == {V1}
    assert any("waiting" in line for line in world.progress)


def test_a_dead_deployers_lease_is_free_while_the_host_cleans_up_after_it(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Takeover is not put off by the drain; whoever lost the host is refused, also when the host is done."""
    world.release(V1)
    late = lease_of(world, "ci-1")
    world.start(V2, **late)
    for command in ("cutover", "commit"):
        world.call(command, release=V2, **late)
    world.clock.sleep(61)
    taken: list[dict[str, Any]] = []
    while_stopping(world, monkeypatch, lambda: taken.append(lease_of(world, "ci-2")))
    look(world.host)
    assert world.host.state.retiring is None
    refused("lease_lost", world, "park", release=V2, **late)
    world.start(V3, **taken[0])


def test_a_live_deployers_lease_stays_its_own_while_the_host_is_at_work(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the host ends a trial by itself takes nothing from a deployer that is heard of."""
    world.release(V1)
    world.start(V2, confirm_timeout_seconds=10, **lease_of(world, "ci-1"))
    world.clock.sleep(11)
    ask = {"action": "acquire", "holder": "ci-2", "purpose": "p"}
    took = while_stopping(world, monkeypatch, lambda: refused("lease_held", world, "lease", **ask))
    look(world.host)
    assert took


def test_a_killed_calls_lease_ends_with_it_although_the_host_is_at_work(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken for one call, which died, keeps nobody out while the watchdog cleans up."""
    world.release(V1)
    world.start(V2, confirm_timeout_seconds=10)
    world.host.leases.acquire_for_call("start of a call that is killed")
    world.clock.sleep(11)
    taken: list[Any] = []

    def ask() -> None:
        assert world.call("status")["lease"] is None
        taken.append(lease_of(world, "ci-2"))

    while_stopping(world, monkeypatch, ask)
    look(world.host)
    assert taken


def test_the_holder_of_the_lease_waits_for_what_the_host_does_by_itself(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new run's first change comes after the drain; who has no lease, and may be gone by then, is told to come later.

    So is one whose own call is at work.
    """
    world.release(V1)
    mine = lease_of(world, "ci-2")
    with at_work(world, monkeypatch, is_own=True, then=lambda: world.call("lease", action="renew", **mine)):
        assert world.start(V2, **mine)["phase"] == "ready"
    world.call("revert", release=V2, **mine)
    with at_work(world, monkeypatch, is_own=False):
        refused("busy", world, "pin", pinned=[], **mine)
    world.call("lease", action="release", **mine)
    with at_work(world, monkeypatch, is_own=True):
        refused("busy", world, "start", spec=spec(V2), secrets={"DATABASE_URL": "x"})


def test_the_call_of_a_caller_who_has_gone_does_nothing_when_its_turn_comes(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody took the lease, but its time is over: a release that nobody wants would keep the host."""
    world.release(V1)
    mine = lease_of(world, "ci-2")
    with at_work(world, monkeypatch, is_own=True):
        refused("lease_lost", world, "start", spec=spec(V2), secrets={"DATABASE_URL": "x"}, **mine)
    assert world.host.state.trial is None


def test_who_loses_the_host_while_it_waits_changes_nothing(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease is asked for again when the turn has come."""
    world.release(V1)
    mine = lease_of(world, "ci-1")
    with at_work(world, monkeypatch, is_own=True, then=lambda: lease_of(world, "ci-2")):
        refused("lease_lost", world, "start", spec=spec(V2), secrets={"DATABASE_URL": "x"}, **mine)
    assert world.running() == {"acp-v1-0-0-a"}
