from __future__ import annotations

import pytest

from infra.errors import HostUnreachableError, LeaseHeldError
from infra.rollout.heartbeat import UNREACHABLE_LIMIT, Heartbeat
from tests.support.fake_hostctl import make_stage


@pytest.fixture
def beat() -> Heartbeat:
    """Return a heartbeat that has not begun."""
    stage = make_stage()
    return Heartbeat(stage.context.group, stage.context.release, interval_seconds=0.001)


def test_silence_that_ends_starts_the_count_anew(beat: Heartbeat) -> None:
    """Only renewals that fail in a row count against a silent host."""
    silent = {"h1": HostUnreachableError("h1 is silent")}
    for _ in range(UNREACHABLE_LIMIT - 1):
        beat._judge(silent)
    beat._judge({})
    for _ in range(UNREACHABLE_LIMIT - 1):
        beat._judge(silent)
    beat.check()
    beat._judge(silent)
    with pytest.raises(HostUnreachableError):
        beat.check()


def test_a_refusal_counts_at_once(beat: Heartbeat) -> None:
    """A host that says no is believed the first time."""
    beat._judge({"h1": LeaseHeldError("lost")})
    with pytest.raises(LeaseHeldError):
        beat.wait(30)


def test_one_host_after_another_is_not_one_host_silent(beat: Heartbeat) -> None:
    """Hosts that miss a renewal in turn are each given their own patience."""
    for index in range(2 * UNREACHABLE_LIMIT):
        beat._judge({f"h{index % 2 + 1}": HostUnreachableError("missed one")})
    beat.check()


def test_it_ends_with_its_context(beat: Heartbeat) -> None:
    """After the block no renewal is sent any more."""
    with beat:
        assert beat._thread.is_alive()
    assert not beat._thread.is_alive()
