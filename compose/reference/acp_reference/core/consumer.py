"""Works through a queue with several tasks at once, until told to stop, then finishes what it holds."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from acp_reference.core import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from acp_reference.core.queue import ReliableQueue

logger = logging.getLogger("acp.consumer")

_TAKE_SECONDS: Final = 1
_PAUSE_SECONDS: Final = 2.0


class PostponeError(Exception):
    """Raised by a handler when an item cannot be worked on now and must be tried again later."""


class Consumer:
    """Takes items and hands each to `handle`; an item is done only when its handler returned."""

    def __init__(
        self,
        queue: ReliableQueue,
        handle: Callable[[str], Awaitable[None]],
        *,
        service: str,
        concurrency: int,
    ) -> None:
        """Prepare; `run` starts the work."""
        self._queue = queue
        self._handle = handle
        self._service = service
        self._concurrency = concurrency
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Take nothing new; `run` returns when the items at hand are finished."""
        self._stop.set()

    async def run(self) -> None:
        """Work until `stop`."""
        finished = asyncio.Event()
        heart = asyncio.create_task(self._queue.keep_alive(finished))
        try:
            await asyncio.gather(*(self._work() for _ in range(self._concurrency)))
        finally:
            finished.set()
            await heart
        try:
            await self._queue.retire()
        except (RedisError, OSError) as error:
            # Others will see the missing heartbeat instead.
            logger.warning("left without saying so", extra={"fields": {"error": type(error).__name__}})

    async def _work(self) -> None:
        while not self._stop.is_set():
            try:
                item = await self._queue.take(_TAKE_SECONDS)
                if item is not None:
                    await self._work_on(item)
            except (RedisError, OSError) as error:
                logger.warning("queue is out of reach", extra={"fields": {"error": type(error).__name__}})
                await self._pause()

    async def _work_on(self, item: str) -> None:
        metrics.JOBS_RUNNING.labels(self._service).inc()
        try:
            await self._handle(item)
        except PostponeError as reason:
            logger.warning("postponed", extra={"fields": {"item": item, "reason": str(reason)}})
            await self._pause()
            await self._queue.give_back(item)
        except Exception:  # one item that cannot be worked on must not stop the queue
            logger.exception("dropped", extra={"fields": {"item": item}})
            await self._queue.done(item)
        else:
            await self._queue.done(item)
        finally:
            metrics.JOBS_RUNNING.labels(self._service).dec()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), _PAUSE_SECONDS)
        except TimeoutError:
            return
