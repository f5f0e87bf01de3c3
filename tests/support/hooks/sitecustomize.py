"""What a test changes in every Python process of an update: the runner's clock, and a hostctl that can be held.

Python imports this by itself where the test's environment has this folder in PYTHONPATH. Without one of the two
variables it does nothing.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

CLOCK_SETTING = "ACP_TEST_CLOCK_OFFSET_SECONDS"
POINTS_SETTING = "ACP_TEST_FAULT_POINTS"
POINTS = Path(__file__).with_name("fault_points.py")


def observed(entry: str) -> dict[str, Any]:
    """Return what `build_zipapp` makes a hostctl with fault points of, given the entry of the real one."""
    called = entry.replace("main()", "main(observe)")
    return {
        "extra": {POINTS.name: POINTS.read_text(encoding="utf-8")},
        "entry": called.replace("from hostctl.cli", f"from {POINTS.stem} import observe\nfrom hostctl.cli"),
    }


def shift_clock(seconds: float) -> None:
    """Let this process believe that it is `seconds` later.

    But not grpc, whose core looks at the machine's own clock: it would wait for a moment that it takes for the present.
    """
    real_time, real_gmtime, real_localtime, real_strftime = time.time, time.gmtime, time.localtime, time.strftime

    def shifted_time() -> float:
        asking = sys._getframe(1).f_globals.get("__name__", "")
        return real_time() + (0 if asking.partition(".")[0] == "grpc" else seconds)

    time.time = shifted_time
    time.time_ns = lambda: int((real_time() + seconds) * 1e9)
    time.gmtime = lambda when=None: real_gmtime(time.time() if when is None else when)
    time.localtime = lambda when=None: real_localtime(time.time() if when is None else when)
    time.strftime = lambda form, when=None: real_strftime(form, time.localtime() if when is None else when)


def build_with_fault_points() -> None:
    """Let the program build a hostctl that stops at the journal entry a test names."""
    try:
        from infra.hostctl import build  # noqa: PLC0415 - not every Python has it
    except ImportError:
        return
    real_build = build.build_zipapp
    build.build_zipapp = lambda folder: real_build(folder, **observed(build.ENTRY))


if os.environ.get(CLOCK_SETTING):
    shift_clock(float(os.environ[CLOCK_SETTING]))
if os.environ.get(POINTS_SETTING):
    build_with_fault_points()
