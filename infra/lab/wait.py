"""Waiting for something that somebody else brings about."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.2


def comes_true(
    condition: Callable[[], bool],
    *,
    within_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Ask `condition` until it is true or the time is over; say which. It is asked at least once."""
    deadline = clock() + within_seconds
    while not condition():
        if clock() >= deadline:
            return False
        sleep(POLL_SECONDS)
    return True
