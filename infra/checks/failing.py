"""When a service that is asked again and again is given up: only what is slow is waited for."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.checks.ask import Answer

FAILING_SECONDS = 3.0
"""How long a service may do nothing but fail until it is not asked again."""


class Failing:
    """Tells a service that does nothing but fail from one that needs more time."""

    def __init__(self) -> None:
        """Begin with a service that nothing is known of."""
        self._since: float | None = None

    def is_for_good(self, answer: Answer) -> bool:
        """Take the last answer; return whether in all of `FAILING_SECONDS` there was none, or a server error."""
        now = time.monotonic()
        if answer.status is not None and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        return now - self._since >= FAILING_SECONDS
