"""Carries out the faults that are parsed in `faults`."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from acp_reference.core.faults import Fault

logger = logging.getLogger("acp.fault")

_MEGABYTE: Final = 1024 * 1024
# Memory limit of the container, for cgroup v2 and v1.
_LIMIT_FILES: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# More than any container here is given: a bigger figure, or none, means that there is no limit to run into.
_BIGGEST_LIMIT_BYTES: Final = 16 * 1024 * _MEGABYTE
_OOM_STEP_MEGABYTES: Final = 8
_CRASH_AFTER_SECONDS: Final = 0.5
_STATUSES: Final = {"error-after": 500, "refuse-after": 403}


class RequestFaults:
    """What a fault does to the requests of one process."""

    def __init__(self, fault: Fault) -> None:
        """Start with nothing spoilt yet."""
        self._fault = fault
        self._seen = 0
        self._hoard: list[bytearray] = []

    async def spoil(self) -> int | None:
        """Spoil one request: delay it, for ever or not, leak memory, or give the status that it must end with."""
        self._seen += 1
        if self._fault.is_kind("slow"):
            await asyncio.sleep(self._fault.amount / 1000)
        elif self._fault.is_kind("leak"):
            self._leak(int(self._fault.amount * _MEGABYTE))
        elif self._fault.is_kind("hang-after") and self._seen > self._fault.amount:
            await asyncio.Event().wait()
        return _STATUSES.get(self._fault.kind) if self._seen > self._fault.amount else None

    def _leak(self, size_bytes: int) -> None:
        limit_bytes = memory_limit_bytes()
        held_bytes = sum(map(len, self._hoard))
        # Without a limit the leak would take the machine, not the container.
        if limit_bytes is not None or held_bytes + size_bytes <= _BIGGEST_LIMIT_BYTES // 16:
            self._hoard.append(filled(size_bytes))


async def misbehave(fault: Fault) -> None:
    """Carry out a fault of the whole process; returns at once when there is none."""
    if fault.is_kind("ignore-sigterm"):
        logger.warning("fault: SIGTERM is ignored")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif fault.is_kind("crash-loop"):
        await asyncio.sleep(_CRASH_AFTER_SECONDS)
        logger.error("fault: crashing at start")
        raise SystemExit(1)
    elif fault.is_kind("oom"):
        await asyncio.sleep(fault.amount)
        logger.error("fault: taking memory until killed")
        await _eat_memory()


async def _eat_memory() -> None:
    if memory_limit_bytes() is None:
        # 128 + SIGKILL, what a killed process would have ended with.
        raise SystemExit(137)
    hoard: list[bytearray] = []
    while True:
        hoard.append(filled(_OOM_STEP_MEGABYTES * _MEGABYTE))
        await asyncio.sleep(0)


def filled(size_bytes: int) -> bytearray:
    """Give memory that is really taken, not only promised."""
    return bytearray(b"\x01") * size_bytes


def memory_limit_bytes() -> int | None:
    """Give the memory limit of this container, or None without one."""
    for path in _LIMIT_FILES:
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) <= _BIGGEST_LIMIT_BYTES:
            return int(text)
    return None
