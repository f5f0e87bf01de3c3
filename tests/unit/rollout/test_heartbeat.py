from __future__ import annotations

import contextlib
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from infra.errors import HostUnreachableError, LeaseHeldError
from infra.rollout.heartbeat import UNREACHABLE_LIMIT, Heartbeat
from tests.support.fake_hostctl import make_stage

if TYPE_CHECKING:
    from infra.errors import ReleaseError


@pytest.fixture
def beat() -> Heartbeat:
    """Return a heartbeat that has not begun."""
    stage = make_stage()
    return Heartbeat(stage.context.group, stage.context.release, interval_seconds=0.001, silent_seconds=30)


def test_silence_that_ends_starts_the_count_anew(beat: Heartbeat) -> None:
    """Only renewals that fail in a row count against a silent host."""
    silent = {"h1": HostUnreachableError("h1 is silent")}
    for _ in range(UNREACHABLE_LIMIT - 1):
        beat._judge((), silent)
    beat._judge({"h1"}, {})
    for _ in range(UNREACHABLE_LIMIT - 1):
        beat._judge((), silent)
    beat.check()
    beat._judge((), silent)
    with pytest.raises(HostUnreachableError):
        beat.check()


def test_a_refusal_counts_at_once(beat: Heartbeat) -> None:
    """A host that says no is believed the first time."""
    beat._judge((), {"h1": LeaseHeldError("lost")})
    with pytest.raises(LeaseHeldError):
        beat.wait(30)


def test_one_host_after_another_is_not_one_host_silent(beat: Heartbeat) -> None:
    """Hosts that miss a renewal in turn are each given their own patience."""
    for index in range(2 * UNREACHABLE_LIMIT):
        beat._judge((), {f"h{index % 2 + 1}": HostUnreachableError("missed one")})
    beat.check()


def test_a_host_that_is_silent_for_long_is_given_up_at_once(beat: Heartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call to a host that is gone takes half a minute: it needs no second one."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    beat.watch({"h1"})
    now += 29
    beat._judge((), {"h1": HostUnreachableError("h1 is silent")})
    beat.check()
    beat._judge({"h1"}, {})
    now += 30
    beat._judge((), {"h1": HostUnreachableError("h1 is silent")})
    with pytest.raises(HostUnreachableError):
        beat.check()


def test_only_hosts_that_are_watched_are_asked() -> None:
    """A host whose candidate is not there yet has no trial to renew."""
    stage, asked = make_stage(), threading.Event()

    def renew(_request: object) -> dict[str, object]:
        asked.set()
        return {}

    stage.answer("renew", renew)
    with Heartbeat(stage.context.group, stage.context.release, interval_seconds=0.001, silent_seconds=30) as beat:
        beat.watch({"h2"})
        assert asked.wait(30)
    assert {call.host for call in stage.journal.of("renew")} == {"h2"}


def test_what_failed_waits_for_no_renewal() -> None:
    """A renewal that hangs on a lost host must not keep the others from going back."""
    stage, begun, over = make_stage(), threading.Event(), threading.Event()

    def hang(_client: object) -> tuple[dict[str, object], dict[str, ReleaseError]]:
        begun.set()
        over.wait(30)
        return {}, {}

    group = SimpleNamespace(only=lambda _names: SimpleNamespace(attempt=hang))
    beat = Heartbeat(group, stage.context.release, interval_seconds=0.001, silent_seconds=30)  # type: ignore[arg-type]
    with contextlib.suppress(RuntimeError), beat:
        assert begun.wait(30)
        raise RuntimeError
    assert beat._thread.is_alive()
    over.set()
    beat.stop()


def test_it_ends_with_its_context(beat: Heartbeat) -> None:
    """After the block no renewal is sent any more."""
    with beat:
        assert beat._thread.is_alive()
    assert not beat._thread.is_alive()
