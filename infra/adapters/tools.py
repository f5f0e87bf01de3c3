"""Where the pinned tools are: beside this Python when its virtual environment has them, else on PATH."""

from __future__ import annotations

import sys
from pathlib import Path


def tool(name: str) -> str:
    """Return the path of `name` in this virtual environment, or the bare name for PATH to resolve."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name
