from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from infra.checks.growth import growth_of
from infra.domain.resources import HOUR_SECONDS, judge_growth
from infra.settings.resources import ResourceLimits
from tests.unit.domain.test_resources import reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.domain.resources import Reading

LIMITS = ResourceLimits()
LIMIT = LIMITS.max_growth_bytes_per_hour
MIB = 1024**2


def soak(memory: Callable[[float], float], *, seconds: int = 600, step: int = 2) -> list[Reading]:
    """Return readings of a container whose memory is a function of time."""
    return [reading(at, memory_bytes=int(memory(at)), memory_limit_bytes=512 * MIB) for at in range(0, seconds, step)]


def verdict(series: list[Reading]) -> str:
    """Return the verdict on growth."""
    return judge_growth(growth_of(series, LIMITS), LIMIT)[0]


def test_a_leak_is_found() -> None:
    """Steady growth above the limit, with noise, is a leak, and its rate is between the bounds."""
    noise = random.Random(1)  # noqa: S311 - a test's noise
    found = growth_of(soak(lambda at: 50 * MIB + at * 100 * 1024 + noise.gauss(0, MIB)), LIMITS)
    assert found is not None
    assert found.low < 100 * 1024 * HOUR_SECONDS < found.high
    assert judge_growth(found, LIMIT)[0] == "breach"


def test_no_growth_is_no_leak() -> None:
    """Memory that goes up and down around a level is certainly no leak."""
    noise = random.Random(2)  # noqa: S311 - a test's noise
    assert verdict(soak(lambda _at: 50 * MIB + noise.gauss(0, 256 * 1024))) == "ok"


def test_caches_that_fill_at_the_start_are_no_leak() -> None:
    """What a container takes when it starts to work is left out."""
    assert verdict(soak(lambda at: 90 * MIB if at > 60 else 50 * MIB)) == "ok"


def test_wide_noise_is_no_verdict() -> None:
    """When the bounds lie on both sides of the limit, one cannot tell."""
    noise = random.Random(3)  # noqa: S311 - a test's noise
    series = soak(lambda at: 50 * MIB + at / HOUR_SECONDS * LIMIT + noise.gauss(0, 20 * MIB))
    assert verdict(series) == "cannot tell"


@pytest.mark.parametrize(("seconds", "step"), [(100, 2), (600, 30)], ids=["too short", "too few"])
def test_too_little_is_no_verdict(seconds: int, step: int) -> None:
    """A soak needs both its time and its readings."""
    assert growth_of(soak(lambda at: 50 * MIB + at * MIB, seconds=seconds, step=step), LIMITS) is None


def test_chance_seldom_makes_a_leak() -> None:
    """Over 40 soaks without a leak, whose readings resemble their neighbours, at most one is called one."""
    noise = random.Random(4)  # noqa: S311 - a test's noise

    def wandering() -> list[Reading]:
        level = [0.0]

        def memory(_at: float) -> float:
            level[0] = 0.9 * level[0] + noise.gauss(0, 64 * 1024)
            return 50 * MIB + level[0]

        return soak(memory)

    assert sum(verdict(wandering()) == "breach" for _ in range(40)) <= 1
