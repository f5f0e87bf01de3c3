"""A note on a background process started from here, so that only that very process is ever stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.1
START_TIME_FIELD = 19  # of /proc/<pid>/stat behind the command's closing bracket


def identity(pid: int) -> dict[str, object] | None:
    """Return what tells process `pid` from any other that ever gets its number, or None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    if fields[0] == "Z":
        return None
    return {"pid": pid, "started": fields[START_TIME_FIELD], "boot": boot}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedProcess:
    """The process that the file `note` speaks of."""

    note: Path

    def remember(self, pid: int) -> None:
        """Write down process `pid`."""
        fresh = self.note.with_name(f".{self.note.name}.{os.getpid()}")
        fresh.write_text(json.dumps(identity(pid)))
        fresh.replace(self.note)

    def known(self) -> bool:
        """Tell whether anything is written down."""
        return self.note.exists()

    def running(self) -> bool:
        """Tell whether the process written down still runs."""
        return self._pid() is not None

    def stop(self, *, timeout_seconds: float) -> None:
        """Ask the process to end, wait for it, and forget it."""
        pid = self._pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout_seconds
        while self.running() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if not self.running():
            self.note.unlink(missing_ok=True)

    def _pid(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            written = json.loads(self.note.read_text())
            pid = int(written["pid"])
            return pid if identity(pid) == written else None
        return None
