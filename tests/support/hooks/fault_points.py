"""Goes into the hostctl that tests install: stops at the journal entry that a file names, or dies there."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

FOLDER = Path("/tmp/acp-fault")  # noqa: S108 - the host is a disposable one of the lab
LONGEST_HOLD_SECONDS = 120.0
POLL_SECONDS = 0.01


def observe(entry: dict[str, Any]) -> None:
    """Hold, or die, when `entry` (which is on disk already) is the one that `FOLDER/point` names."""
    try:
        action, wanted = (FOLDER / "point").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return
    if wanted != f"{entry['phase']}/{entry['step']}/{entry['mark']}":
        return
    try:
        (FOLDER / "point").rename(FOLDER / "reached")
    except OSError:
        return
    if action == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    began = time.monotonic()
    while not (FOLDER / "go").exists() and time.monotonic() - began < LONGEST_HOLD_SECONDS:
        time.sleep(POLL_SECONDS)
