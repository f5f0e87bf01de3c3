"""Time on this host: deadlines use a clock that nobody can set, dates are for people."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path


class Clock:
    """The clocks of a host."""

    def monotonic(self) -> float:
        """Return seconds since boot, sleep included, the same for all processes."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Return what changes with every boot of the host."""
        kernel = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{kernel}/{_init_started()}"

    def now(self) -> str:
        """Return the date and time in UTC, ISO 8601."""
        return datetime.now(timezone.utc).isoformat(timespec="milliseconds")

    def unix(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def _init_started() -> str:
    """Return when process 1 started: a host that is itself a container shares the kernel's boot id."""
    try:
        stat = Path("/proc/1/stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # hidden from other users on some hosts
        return "-"
    return stat.rpartition(")")[2].split()[19]
