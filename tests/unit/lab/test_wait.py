from __future__ import annotations

from infra.lab.wait import comes_true


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


def test_waits_until_the_condition_is_true() -> None:
    """It ends as soon as the condition holds."""
    clock = Clock()
    assert comes_true(lambda: clock.now > 1, within_seconds=10, clock=clock, sleep=clock.sleep)
    assert clock.now < 1.5


def test_gives_up_at_the_deadline() -> None:
    """A condition that never holds is given up when the time is over, not later."""
    clock = Clock()
    assert not comes_true(lambda: False, within_seconds=3, clock=clock, sleep=clock.sleep)
    assert 3 <= clock.now < 3.5


def test_asks_once_even_without_time() -> None:
    """What is true already is true without waiting."""
    clock = Clock()
    assert comes_true(lambda: True, within_seconds=0, clock=clock, sleep=clock.sleep)
    assert clock.now == 0
