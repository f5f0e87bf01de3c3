"""Runs a web service until SIGTERM, and then until everything that was begun is finished."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import uvicorn

from acp_reference.core.logs import configure_logging
from acp_reference.core.misbehaviour import misbehave
from acp_reference.core.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

logger = logging.getLogger("acp.server")
# Longer than the edge keeps an idle connection, so that it is never the app that closes one under a request.
_KEEP_ALIVE_SECONDS = 75
_BAD_SETTINGS_EXIT_CODE = 78


class _Server(uvicorn.Server):
    """Leaves signals alone: `serve` decides what a signal means."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def start(service: str, run: Callable[[Settings], Awaitable[None]], *, port: int) -> None:
    """Load settings and logging, then run; exit 78 naming every bad setting."""
    try:
        settings = load_settings(service, os.environ, port=port)
    except SettingsError as error:
        sys.stderr.write(f"{service}: {error}\n")
        raise SystemExit(_BAD_SETTINGS_EXIT_CODE) from None
    configure_logging(settings)
    logger.info("starting", extra={"fields": {"version": settings.version, "fault": settings.fault.kind}})
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run_with_faults(settings, run))
    logger.info("stopped")


async def serve(app: Any, settings: Settings, *, on_stop: Callable[[], None] = lambda: None) -> None:
    """Serve an ASGI app; at SIGTERM or SIGINT call `on_stop`, refuse new connections, finish what runs."""
    server = _Server(
        uvicorn.Config(
            app,
            host="0.0.0.0",  # noqa: S104  (inside a container; the host decides what is published)
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        ),
    )

    def stop() -> None:
        logger.info("stopping: finishing what runs")
        on_stop()
        server.should_exit = True

    on_signals(stop)
    await server.serve()


def on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM and SIGINT, unless a fault ignores SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)


async def _run_with_faults(settings: Settings, run: Callable[[Settings], Awaitable[None]]) -> None:
    if settings.fault.is_kind("ignore-sigterm"):
        await misbehave(settings.fault)
    service = asyncio.ensure_future(run(settings))
    fault = asyncio.create_task(misbehave(settings.fault))
    done, _ = await asyncio.wait({service, fault}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    await service


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  (optional: only speed)
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
