"""A Python of its own, for what depends on what was imported before."""

from __future__ import annotations

import subprocess
import sys


def printed(code: str) -> str:
    """Return what `code` prints in a new process; raise `CalledProcessError` when it fails."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
