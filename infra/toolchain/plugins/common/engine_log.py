"""Messages to the engine about a resource that is being worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Awaitable

INFO = engine_pb2.INFO
WARNING = engine_pb2.WARNING
ERROR = engine_pb2.ERROR


class EngineLog:
    """The engine's log; a message that cannot be delivered is dropped."""

    def __init__(self, engine_address: str) -> None:
        """Remember where the engine listens; the connection is made by the first message."""
        self._address = engine_address
        self._stub: engine_pb2_grpc.EngineStub | None = None

    async def status(self, urn: str, message: str) -> None:
        """Show `message` beside the resource while it is worked on."""
        await self._send(urn, message, INFO, ephemeral=True)

    async def warning(self, urn: str, message: str) -> None:
        """Show a warning that stays in the update's diagnostics."""
        await self._send(urn, message, WARNING, ephemeral=False)

    async def problem(self, urn: str, message: str) -> None:
        """Show an error that stays in the update's diagnostics."""
        await self._send(urn, message, ERROR, ephemeral=False)

    async def _send(self, urn: str, message: str, severity: int, *, ephemeral: bool) -> None:
        """Send one message."""
        if self._stub is None:
            self._stub = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(self._address))
        request = engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=ephemeral)  # type: ignore[arg-type]
        try:
            await cast("Awaitable[object]", self._stub.Log(request))
        except grpc.aio.AioRpcError:
            return
