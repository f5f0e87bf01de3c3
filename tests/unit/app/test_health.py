from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from acp_reference.core.health import CachedCheck, Health

from tests.unit.app.environment import settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def good() -> None:
    """A dependency that answers."""


async def bad() -> None:
    """A dependency that is down."""
    raise ConnectionError("redis://:redis-pass@redis:6379 refused")


def health(
    *, critical: Callable[[], Awaitable[None]] = good, other: Callable[[], Awaitable[None]] = good, fault: str = "none"
) -> Health:
    """Give the health of a started service with these dependencies."""
    return Health(
        settings=settings(ACP_FAULT=fault), critical={"database": critical}, others={"llm": other}, started=True
    )


def test_all_good_is_healthy_and_ready() -> None:
    """Both bodies say so, with version and release."""
    report = asyncio.run(health().report())

    assert (report["status"], report["version"], report["release"]) == ("healthy", "v1.4.2", "v1.4.2-1a2b3c4d")
    assert asyncio.run(health().readiness())["status"] == "ready"


def test_a_critical_failure_is_not_ready() -> None:
    """Without its database a service is neither ready nor healthy, and the body says which it is without an address."""
    body = asyncio.run(health(critical=bad).readiness())

    assert body["status"] == "not_ready"
    assert body["critical_services"] == {"database": "unhealthy"}
    report = asyncio.run(health(critical=bad).report())
    assert report["services"]["database"] == {"status": "unhealthy", "error": "ConnectionError"}


def test_another_failure_is_unhealthy_but_ready() -> None:
    """A model endpoint that is down does not take the service out of traffic."""
    assert asyncio.run(health(other=bad).report())["status"] == "unhealthy"
    assert asyncio.run(health(other=bad).readiness())["status"] == "ready"


def test_an_unfinished_start_is_not_ready() -> None:
    """Until the schema is there, nothing is ready, whatever the dependencies say."""
    starting = health()
    starting.started = False

    assert starting.startup()["status"] == "starting"
    assert asyncio.run(starting.readiness())["status"] == "not_ready"


def test_faults_of_readiness_show_in_the_body() -> None:
    """The trap of the real app on purpose: the body says not_ready while everything works."""
    assert asyncio.run(health(fault="not-ready-200").readiness())["status"] == "not_ready"
    assert asyncio.run(health(fault="not-ready-200").report())["status"] == "healthy"
    assert asyncio.run(health(fault="never-ready").report())["status"] == "unhealthy"
    assert health(fault="never-ready").startup()["status"] == "starting"


def test_a_cached_check_asks_once() -> None:
    """Probes in quick succession reach an outside service once, and its failure is repeated."""
    calls = []

    async def check() -> None:
        calls.append(1)
        await bad()

    cached = CachedCheck(check=check, keep_seconds=60)

    async def ask() -> int:
        failures = 0
        for _ in range(3):
            try:
                await cached()
            except ConnectionError:
                failures += 1
        return failures

    assert asyncio.run(ask()) == 3
    assert len(calls) == 1
