"""The `command` provider: hands each request to its resource."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from pulumi.provider.experimental import provider as sdk

from infra.toolchain.plugins.command.copy_to_remote import CopyToRemote
from infra.toolchain.plugins.command.remote_command import RemoteCommand
from infra.toolchain.plugins.common.deadline import deadline
from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.common.values import own_type

if TYPE_CHECKING:
    from infra.toolchain.plugins.common.engine_log import EngineLog

VERSION = "1.2.1"


class CommandProvider(sdk.Provider):
    """Serves `command:remote:Command` and `command:remote:CopyToRemote`."""

    def __init__(self, log: EngineLog) -> None:
        """Make the resources; nothing is imported or opened that they may not need."""
        self._cancelled = asyncio.Event()
        self._resources: dict[str, RemoteCommand | CopyToRemote] = {
            "command:remote:Command": RemoteCommand(log, self._cancelled),
            "command:remote:CopyToRemote": CopyToRemote(log, self._cancelled),
        }

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:  # noqa: ARG002
        """Return the smallest schema: the SDKs are the official ones."""
        return sdk.GetSchemaResponse(schema=json.dumps({"name": "command", "version": VERSION}))

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:  # noqa: ARG002
        """Take secrets as secrets, and preview."""
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Check inputs and fill in defaults."""
        return await self._resource(request.type).check(request)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Compare state and inputs."""
        return await self._resource(request.type).diff(request)

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Create within the resource's custom timeout."""
        async with deadline(request.timeout):
            return await self._resource(request.type).create(request)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Update within the resource's custom timeout."""
        async with deadline(request.timeout):
            return await self._resource(request.type).update(request)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Delete within the resource's custom timeout."""
        async with deadline(request.timeout):
            await self._resource(request.type).delete(request)

    async def cancel(self) -> None:
        """Stop trying to connect; a command that already runs on a host is waited for, so that the state stays true."""
        self._cancelled.set()

    def _resource(self, token: str) -> RemoteCommand | CopyToRemote:
        """Return the resource of a type token."""
        token = own_type(token)
        if token not in self._resources:
            message = f"resource type {token} is not in this drop-in plugin; it has {', '.join(self._resources)}"
            raise PluginError(message)
        return self._resources[token]
