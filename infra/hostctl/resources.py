"""Room on the host for one more release, in figures."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import HostctlError

MEMORY_KEPT_BYTES = 128 * 1024 * 1024
DISK_KEPT_BYTES = 256 * 1024 * 1024
GIBIBYTE = 1024**3


@dataclass(frozen=True)
class HostResources:
    """What the host has, in bytes, and its load."""

    memory_available_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    load_1m: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        return {
            "memory_available_bytes": self.memory_available_bytes,
            "memory_total_bytes": self.memory_total_bytes,
            "disk_free_bytes": self.disk_free_bytes,
            "load_1m": self.load_1m,
        }


@dataclass(frozen=True)
class Check:
    """One thing that a release needs, and whether it is so; `note` is what will be done about it."""

    name: str
    ok: bool
    detail: str
    code: str = "internal"
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        note = {"note": self.note} if self.note else {}
        return {"name": self.name, "ok": self.ok, "detail": self.detail, **note}


def read_resources(docker_folder: str) -> HostResources:
    """Return the host's figures; the disk is the one that Docker is on."""
    memory = parse_meminfo(Path("/proc/meminfo").read_text(encoding="ascii"))
    return HostResources(
        memory_available_bytes=memory.get("MemAvailable", 0),
        memory_total_bytes=memory.get("MemTotal", 0),
        disk_free_bytes=_disk_free(docker_folder),
        load_1m=round(os.getloadavg()[0], 2),
    )


def parse_meminfo(text: str) -> dict[str, int]:
    """Return /proc/meminfo in bytes."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if rest.strip().endswith(" kB"):
            found[name] = int(rest.split()[0]) * 1024
    return found


def check_memory(needed_bytes: int, resources: HostResources) -> Check:
    """Return whether the memory limits of one more release fit beside what runs."""
    free = resources.memory_available_bytes
    detail = (
        f"the release needs {gib(needed_bytes)} beside what runs, {gib(free)} of {gib(resources.memory_total_bytes)}"
        f" are available, {gib(MEMORY_KEPT_BYTES)} stay free"
    )
    return Check("memory", ok=free - MEMORY_KEPT_BYTES >= needed_bytes, detail=detail, code="insufficient_memory")


def check_disk(needed_bytes: int, resources: HostResources) -> Check:
    """Return whether the images of one more release fit on the disk."""
    free = resources.disk_free_bytes
    detail = f"the release needs {gib(needed_bytes)}, {gib(free)} are free, {gib(DISK_KEPT_BYTES)} stay free"
    return Check("disk", ok=free - DISK_KEPT_BYTES >= needed_bytes, detail=detail, code="insufficient_disk")


def require(checks: list[Check]) -> None:
    """Raise the error of the first check that is not ok, with all of them in its details."""
    failed = [check for check in checks if not check.ok]
    if failed:
        raise HostctlError(
            failed[0].code, f"{failed[0].name}: {failed[0].detail}", checks=[check.to_json() for check in checks]
        )


def gib(size_bytes: float) -> str:
    """Return a size for people."""
    return f"{size_bytes / GIBIBYTE:.2f} GiB"


def _disk_free(folder: str) -> int:
    """Return the free bytes where a folder is, or of the nearest parent that can be read."""
    path = Path(folder)
    for candidate in (path, *path.parents):
        try:
            return shutil.disk_usage(candidate).free
        except OSError:
            continue
    return 0
