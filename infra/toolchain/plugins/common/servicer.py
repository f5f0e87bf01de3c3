"""The SDK's gRPC servicer, with the official plugins' error texts and whole assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import proto

from infra.toolchain.plugins.common.assets import hide_assets, show_assets
from infra.toolchain.plugins.common.failure import PluginError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class PluginServicer(ProviderServicer):
    """Answers the engine; a `PluginError` becomes the message of the failed step, nothing else is added."""

    async def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        """Check the provider's own configuration."""
        return await _answer(super().CheckConfig, request, context)

    async def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Leave the comparison to the engine: a changed configuration updates the provider, never replaces it."""
        return proto.DiffResponse()

    async def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take the provider's configuration."""
        return await _answer(super().Configure, request, context)

    async def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run a function."""
        return await _answer(super().Invoke, request, context)

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Check a resource's inputs and fill in their defaults."""
        return await _answer(super().Check, request, context, hide=("olds", "news"), show=("inputs",))

    async def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say what changed and whether it means a replacement."""
        return await _answer(super().Diff, request, context, hide=("olds", "news"))

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Create a resource."""
        return await _answer(super().Create, request, context, hide=("properties",), show=("properties",))

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Read a resource's present state."""
        shapes = ("properties", "inputs")
        return await _answer(super().Read, request, context, hide=shapes, show=shapes)

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Update a resource in place."""
        return await _answer(super().Update, request, context, hide=("olds", "news"), show=("properties",))

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete a resource."""
        return await _answer(super().Delete, request, context, hide=("properties",))


async def _answer(
    handler: Callable[[Any, Any], Awaitable[Any]],
    request: Any,
    context: Any,
    *,
    hide: tuple[str, ...] = (),
    show: tuple[str, ...] = (),
) -> Any:
    """Run the SDK's handler on `request`, with assets kept whole and failures told as the engine shows them."""
    for field in hide:
        hide_assets(getattr(request, field))
    try:
        response = await handler(request, context)
    except PluginError as error:
        await context.abort(grpc.StatusCode.UNKNOWN, str(error))
    except Exception as error:  # noqa: BLE001 - a bug of ours must reach the user as a message, not as a traceback
        await context.abort(grpc.StatusCode.UNKNOWN, f"unexpected {type(error).__name__}: {error}")
    for field in show:
        show_assets(getattr(response, field))
    return response
