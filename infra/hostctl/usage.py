"""What the kernel says of a container by its first process: open connections, processes killed for memory."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

ESTABLISHED = "01"
STATE_COLUMN = 3
PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


def open_connections(pid: int, proc: Path = PROC) -> int | None:
    """Return how many TCP connections are open in a process's network, None when that cannot be read."""
    found = None
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / str(pid) / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        found = (found or 0) + sum(line.split()[STATE_COLUMN] == ESTABLISHED for line in lines)
    return found


def oom_kills(pid: int, proc: Path = PROC, cgroup: Path = CGROUP) -> int | None:
    """Return how many processes of a process's group the kernel killed for memory, None when that cannot be read."""
    for path in _memory_files(pid, proc, cgroup):
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return None


def _memory_files(pid: int, proc: Path, cgroup: Path) -> Iterator[Path]:
    """Yield where the count may stand: control groups version 2 and 1."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            yield cgroup / path.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            yield cgroup / "memory" / path.lstrip("/") / "memory.oom_control"
