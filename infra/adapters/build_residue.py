"""Removes what the image builder leaves behind: a Docker configuration that holds the registry password."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from pathlib import Path

PATTERN = "pulumi-docker-*"
STALE_SECONDS = 3600


def sweep_build_residue() -> None:
    """Remove what dead runs left now, and what this run leaves at its end."""
    started = time.time()
    _remove(older_than=started - STALE_SECONDS)
    atexit.register(_remove, newer_than=started)


def _remove(*, older_than: float = float("inf"), newer_than: float = 0.0) -> None:
    for folder in Path(tempfile.gettempdir()).glob(PATTERN):
        try:
            changed = folder.stat().st_mtime
        except OSError:
            continue
        if newer_than <= changed < older_than:
            shutil.rmtree(folder, ignore_errors=True)
