"""A little disk space kept back, so that a host with a full disk can still revert and journal it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RESERVE_BYTES = 2 * 1024 * 1024


def keep(path: Path) -> None:
    """Make the reserve if it is absent and there is room."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}")
    try:
        with temporary.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, RESERVE_BYTES)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()


def use(path: Path) -> None:
    """Give the reserve's space back to the disk."""
    with contextlib.suppress(OSError):
        path.unlink()
