"""The life of a plugin process: start, tell the engine the port, serve, end with the engine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc

from infra.toolchain.plugins.common.engine_log import EngineLog
from infra.toolchain.plugins.common.servicer import PluginServicer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi.provider.experimental.provider import Provider

PARENT_POLL_SECONDS = 2.0
ENGINE_PID = "ACP_PLUGIN_ENGINE_PID"


def serve(version: str, make_provider: Callable[[EngineLog], Provider]) -> None:
    """Serve one provider until the engine ends this process or is itself gone."""
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    if not addresses:
        sys.exit(f"{Path(sys.argv[0]).name}: this is a Pulumi plugin; `pulumi` starts it, with its own address")
    asyncio.run(_serve(version, make_provider, addresses[0]))


async def _serve(version: str, make_provider: Callable[[EngineLog], Provider], engine_address: str) -> None:
    """Listen on a free loopback port, print it, and wait for the end."""
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGINT, signal.SIGTERM):
        # The engine waits for its plugins to end; nothing here needs tidying up that the kernel does not do.
        loop.add_signal_handler(ending, os._exit, 0)
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    provider = make_provider(EngineLog(engine_address))
    servicer = PluginServicer(sys.argv[1:], version, provider, engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await _engine_gone()
    os._exit(0)


async def _engine_gone() -> None:
    """Return when the engine that started this process has ended: a killed one leaves no plugin behind."""
    engine = int(os.environ.get(ENGINE_PID, os.getppid()))
    while os.getppid() == engine:  # noqa: ASYNC110 - nothing tells a process that its parent ended
        await asyncio.sleep(PARENT_POLL_SECONDS)
