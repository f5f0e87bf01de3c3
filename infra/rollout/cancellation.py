"""That somebody wants the update to end: Ctrl-C, SIGTERM, a cancelled job. Known in the whole process, never undone."""

from __future__ import annotations

import threading

from infra.errors import RolloutError

_cancelled = threading.Event()


def cancel() -> None:
    """Let whoever works for the update know."""
    _cancelled.set()


def require_wanted() -> None:
    """Raise `RolloutError` when the update is not wanted any more."""
    if _cancelled.is_set():
        raise RolloutError("the update was cancelled", mend="run it again when it is wanted")
