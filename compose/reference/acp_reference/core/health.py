"""Judging dependencies and saying so in the bodies that the real app uses."""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from acp_reference.core.faults import Fault, flap_is_down

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from acp_reference.core.settings import Settings

    Check = Callable[[], Awaitable[None]]

_CHECK_TIMEOUT_SECONDS = 2.5
_LEAST_FREE_BYTES = 16 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class CachedCheck:
    """A check whose answer is kept for a while, so that probes do not hammer an outside service."""

    check: Check
    keep_seconds: float = 3.0
    _until: float = 0.0
    _error: Exception | None = None

    async def __call__(self) -> None:
        """Run the check, or repeat its last answer while that is fresh."""
        now = time.monotonic()
        if now >= self._until:
            try:
                await self.check()
                self._error = None
            except Exception as error:  # noqa: BLE001  (every failure of a check is its answer)
                self._error = error
            self._until = now + self.keep_seconds
        if self._error is not None:
            raise self._error


@dataclass(slots=True, kw_only=True)
class Health:
    """The checks of one service and the state of its start."""

    settings: Settings
    critical: Mapping[str, Check]
    others: Mapping[str, Check]
    started: bool = False
    began: float = field(default_factory=time.monotonic)

    def _is_broken_on_purpose(self, *kinds: str) -> bool:
        fault: Fault = self.settings.fault
        if fault.is_kind("flap"):
            return flap_is_down(time.monotonic() - self.began, fault.amount)
        return fault.is_kind(*kinds)

    async def report(self) -> dict[str, Any]:
        """Give the body of `/health`: `healthy` only if every dependency is."""
        services = await _run_all({**self.critical, **self.others, "disk_space": disk_space})
        healthy = self.started and all(service["status"] == "healthy" for service in services.values())
        if self._is_broken_on_purpose("never-ready"):
            healthy = False
        return {
            "status": "healthy" if healthy else "unhealthy",
            "timestamp": datetime.now(tz=UTC).isoformat(),
            "service": self.settings.service,
            "version": self.settings.version,
            "release": self.settings.release,
            "services": services,
        }

    async def readiness(self) -> dict[str, Any]:
        """Give the body of `/health/ready`: `ready` only if started and every critical dependency is healthy."""
        services = await _run_all(self.critical)
        ready = self.started and all(service["status"] == "healthy" for service in services.values())
        if self._is_broken_on_purpose("never-ready", "not-ready-200"):
            ready = False
        return {
            "status": "ready" if ready else "not_ready",
            "release": self.settings.release,
            "critical_services": {name: service["status"] for name, service in services.items()},
        }

    def startup(self) -> dict[str, Any]:
        """Give the body of `/health/startup`."""
        started = self.started and not self.settings.fault.is_kind("never-ready")
        return {"status": "started" if started else "starting", "release": self.settings.release}


async def disk_space() -> None:
    """Raise if the scratch space is nearly full."""
    free_bytes = shutil.disk_usage("/tmp").free  # noqa: S108  (the container's own tmpfs)
    if free_bytes < _LEAST_FREE_BYTES:
        message = f"only {free_bytes} bytes free in /tmp"
        raise OSError(message)


async def _run_all(checks: Mapping[str, Check]) -> dict[str, dict[str, Any]]:
    answers = await asyncio.gather(*(_run(check) for check in checks.values()))
    return dict(zip(checks, answers, strict=True))


async def _run(check: Check) -> dict[str, Any]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001  (whatever goes wrong in a check makes the dependency unhealthy)
        # Only the kind of error: a message of a driver may quote an address with a password in it.
        return {"status": "unhealthy", "error": type(error).__name__}
    return {"status": "healthy", "response_time_ms": round((time.monotonic() - began) * 1000, 2)}
