"""Puts a web service together from its routers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from acp_reference.core.asgi import ReleaseMiddleware

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from fastapi import APIRouter

    from acp_reference.core.settings import Settings

logger = logging.getLogger("acp.web")


def build_app(
    settings: Settings,
    routers: tuple[APIRouter, ...],
    *,
    lifespan: AbstractAsyncContextManager[None],
    outages: tuple[type[Exception], ...],
) -> ReleaseMiddleware:
    """Give the ASGI app; `outages` are answered with 503, every other failure with 500, both without details."""

    async def answer_outage(_: Request, error: Exception) -> JSONResponse:
        logger.warning("a dependency is out of reach", extra={"fields": {"error": type(error).__name__}})
        return JSONResponse({"detail": "a dependency is out of reach, try again"}, status_code=503)

    async def answer_failure(_: Request, error: Exception) -> JSONResponse:
        logger.error("request failed", exc_info=error)
        return JSONResponse({"detail": "internal error"}, status_code=500)

    handlers: dict[Any, Any] = {**dict.fromkeys(outages, answer_outage), Exception: answer_failure}
    app = FastAPI(
        title=settings.service, version=settings.version, lifespan=lambda _: lifespan, exception_handlers=handlers
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.cors_origins), allow_methods=["*"], allow_headers=["*"]
        )
    for router in routers:
        app.include_router(router)
    return ReleaseMiddleware(app, settings)
