"""The routes that both services have: health, version, info, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from acp_reference.core import metrics

if TYPE_CHECKING:
    from acp_reference.core.health import Health


def probe_router(health: Health, *, title: str, features: tuple[str, ...]) -> APIRouter:
    """Give a router of the common routes.

    As in the real app, `/health` and `/health/ready` answer 200 whatever their body says.
    """
    settings = health.settings
    router = APIRouter()
    metrics.RELEASE.labels(settings.service, settings.version, settings.release).set(1)
    identity = {"service": settings.service, "version": settings.version, "release": settings.release}

    @router.get("/health")
    async def report() -> dict[str, Any]:
        return await health.report()

    @router.get("/health/live")
    async def live() -> dict[str, Any]:
        return {"status": "alive", "release": settings.release}

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        status = 503 if settings.fault.is_kind("never-ready") else 200
        return JSONResponse(await health.readiness(), status_code=status)

    @router.get("/health/startup")
    async def startup() -> dict[str, Any]:
        return health.startup()

    @router.get("/version")
    async def version() -> dict[str, Any]:
        return identity

    @router.get("/api/v1/info")
    async def info() -> dict[str, Any]:
        return {**identity, "name": title, "environment": settings.environment, "features": list(features)}

    @router.get("/")
    async def root() -> dict[str, Any]:
        return {**identity, "message": title, "health": "/health", "docs": "/docs"}

    @router.get("/metrics")
    async def exposition() -> Response:
        body, content_type = metrics.exposition()
        return Response(body, media_type=content_type)

    return router
