from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from acp_reference.core.health import Health
from acp_reference.core.probes import probe_router
from acp_reference.core.web import build_app
from fastapi import APIRouter

from tests.unit.app.environment import settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class OutageError(Exception):
    """Stands for a dependency that is down."""


async def down() -> None:
    """A dependency that is down."""
    raise OutageError


def get(path: str, *, fault: str = "none", times: int = 1, headers: dict[str, str] | None = None) -> httpx.Response:
    """Ask a service whose database is down, and give its last answer."""
    read = settings(ACP_FAULT=fault)
    router = APIRouter()

    @router.get("/work")
    async def work() -> str:
        return "done"

    @router.get("/outage")
    async def outage() -> None:
        await down()

    @router.get("/bug")
    async def bug() -> None:
        raise KeyError("secret-key-value")

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        yield

    health = Health(settings=read, critical={"database": down}, others={}, started=True)
    routers = (probe_router(health, title="test", features=()), router)
    app = build_app(read, routers, lifespan=lifespan(), outages=(OutageError,))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for _ in range(times - 1):
                await client.get(path)
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/", "/work", "/version", "/health", "/metrics", "/nothing/here", "/outage", "/bug"])
def test_every_answer_names_the_release(path: str) -> None:
    """Good, missing and failed answers alike can be told apart by release."""
    assert get(path).headers["X-ACP-Release"] == "v1.4.2-1a2b3c4d"


@pytest.mark.parametrize(("path", "status"), [("/health", "unhealthy"), ("/health/ready", "not_ready")])
def test_a_bad_state_is_said_in_the_body_alone(path: str, status: str) -> None:
    """The trap of the real app: 200, whatever the body says."""
    response = get(path)

    assert (response.status_code, response.json()["status"]) == (200, status)


def test_never_ready_says_so_in_code_and_body() -> None:
    """This fault is visible even to a probe that looks at the code alone."""
    response = get("/health/ready", fault="never-ready")

    assert (response.status_code, response.json()["status"]) == (503, "not_ready")


def test_the_code_tells_an_outage_from_a_bug() -> None:
    """A dependency that is down is 503, a bug 500, and neither answer has details."""
    assert get("/outage").status_code == 503
    assert get("/bug").status_code == 500
    assert "secret" not in get("/bug").text


def test_a_failing_release_fails_only_work() -> None:
    """With `error-after:2` the third piece of work fails, while probes go on passing."""
    assert get("/work", fault="error-after:2", times=2).status_code == 200
    assert get("/work", fault="error-after:2", times=3).status_code == 500
    assert get("/health/live", fault="error-after:2", times=9).status_code == 200


def test_a_refusing_release_refuses_only_work() -> None:
    """With `refuse-after:2` the third piece of work is refused, while probes go on passing."""
    assert get("/work", fault="refuse-after:2", times=2).status_code == 200
    assert get("/work", fault="refuse-after:2", times=3).status_code == 403
    assert get("/health/live", fault="refuse-after:2", times=9).status_code == 200


def test_a_request_id_is_passed_on() -> None:
    """The edge's id comes back, so that its log and the app's can be joined; without one there is a new one."""
    assert get("/work", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    assert len(get("/work").headers["X-Request-ID"]) == 32


def test_metrics_count_requests_by_route() -> None:
    """Prometheus sees the two metrics of the contract, with the route and not the path as a label."""
    text = get("/metrics", times=2).text

    assert 'acp_requests_total{method="GET",path="/metrics",service="acp-ingest",status="200"}' in text
    assert "acp_request_duration_seconds_bucket" in text
