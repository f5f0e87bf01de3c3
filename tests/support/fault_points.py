"""Holding hostctl at an entry of its journal, or killing it there: the test's side of `hooks/fault_points.py`."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.host_view import HostView

FOLDER = "/tmp/acp-fault"  # noqa: S108 - the host is a disposable one of the lab
LOOK_SECONDS = 1.0
TURN_SECONDS = 0.05


class FaultPoint:
    """One armed point: `phase/step/mark` of a journal entry, and what happens there (`hold` or `die`)."""

    def __init__(self, view: HostView, point: str, action: str) -> None:
        """Describe it; `armed` arms it."""
        self._view = view
        self.point = point
        self._action = action

    @contextlib.contextmanager
    def armed(self) -> Iterator[FaultPoint]:
        """Arm it, and take every trace of it away at the end, which also lets a held hostctl go on."""
        self._view.sh(
            f"rm -rf {FOLDER} && mkdir -m 1777 {FOLDER} && echo {self._action} {self.point} > {FOLDER}/point"
            f" && chown -R deploy {FOLDER}"
        )
        try:
            yield self
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Let a held hostctl go on."""
        self._view.sh(f"if [ -d {FOLDER} ]; then rm -f {FOLDER}/point; touch {FOLDER}/go; fi")

    @property
    def reached(self) -> bool:
        """Whether hostctl came by; looked at on the host for up to `LOOK_SECONDS`."""
        turns = int(LOOK_SECONDS / TURN_SECONDS)
        look = (
            f"for turn in $(seq {turns}); do test -e {FOLDER}/reached && echo yes && break; sleep {TURN_SECONDS}; done"
        )
        return self._view.sh(look).strip() == "yes"

    def wait_reached(self, *, timeout_seconds: float, unless: Callable[[], bool]) -> bool:
        """Wait until hostctl came by; return False when `unless` came true first or time is up."""
        deadline = time.monotonic() + timeout_seconds
        while not self.reached:
            if unless() or time.monotonic() > deadline:
                return self.reached
        return True
