"""Temporary files that a killed call left behind."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .paths import Paths

GUARDED_ELSEWHERE = (".lease.json.", ".counters.json.")
OLD_SECONDS = 10.0


def sweep(paths: Paths) -> None:
    """Remove temporary files of dead calls; the caller is the only one at work.

    Files whose writers hold another lock go only once they are older than any write takes.
    """
    folders = (
        paths.base,
        paths.releases,
        paths.core,
        paths.edge,
        paths.edge / "config",
        paths.edge / "config" / "certs",
        paths.base / "bin",
    )
    for folder in folders:
        for pattern in (".*", "checked-*"):
            for path in folder.glob(pattern) if folder.is_dir() else ():
                _remove(path)


def _remove(path: Path) -> None:
    """Remove one file unless somebody may be writing it."""
    with contextlib.suppress(OSError):
        is_young = time.time() - path.lstat().st_mtime < OLD_SECONDS
        if path.name.startswith(GUARDED_ELSEWHERE) and is_young:
            return
        path.unlink()
