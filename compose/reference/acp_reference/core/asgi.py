"""The outermost layer of every service: release header, request id, metrics, access log, faults."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

from acp_reference.core import metrics
from acp_reference.core.misbehaviour import RequestFaults

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from acp_reference.core.settings import Settings

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("acp.access")
_QUIET_PATHS = ("/health", "/metrics")
_LONGEST_REQUEST_ID = 128


class ReleaseMiddleware:
    """Stamps each response with the release that gave it, counts it and logs it."""

    def __init__(self, app: App, settings: Settings) -> None:
        """Wrap `app`."""
        self._app = app
        self._settings = settings
        self._faults = RequestFaults(settings.fault)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        is_work = not path.startswith(_QUIET_PATHS)
        request_id = _request_id(scope)
        began = time.monotonic()
        status = 500

        async def stamped_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-acp-release", self._settings.release.encode("latin-1")),
                    (b"x-request-id", request_id.encode("latin-1")),
                ]
            await send(message)

        metrics.IN_PROGRESS.labels(self._settings.service).inc()
        try:
            if is_work and (spoilt := await self._faults.spoil()):
                await _send_fault(stamped_send, spoilt)
            else:
                await self._app(scope, receive, stamped_send)
        except asyncio.CancelledError:
            status = 499
            raise
        finally:
            metrics.IN_PROGRESS.labels(self._settings.service).dec()
            self._record(scope, status, time.monotonic() - began, request_id, is_work=is_work)

    def _record(self, scope: Scope, status: int, seconds: float, request_id: str, *, is_work: bool) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        service = self._settings.service
        metrics.REQUESTS.labels(service, scope["method"], route, str(status)).inc()
        metrics.DURATION.labels(service, scope["method"], route).observe(seconds)
        logger.log(
            logging.INFO if is_work else logging.DEBUG,
            "request",
            extra={
                "fields": {
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "duration_ms": round(seconds * 1000, 2),
                    "request_id": request_id,
                },
            },
        )


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            if 0 < len(text) <= _LONGEST_REQUEST_ID and text.isprintable():
                return text
    return uuid.uuid4().hex


async def _send_fault(send: Send, status: int) -> None:
    body = b'{"detail": "this release fails on purpose"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
