"""A reliable work queue in Redis: nothing is lost when a worker dies, and a release works on what it took in.

Each release has its own list of pending items and each worker a list of taken ones. A worker says every few seconds
that it lives; the items of a dead worker, and the pending ones of a release without live workers, are adopted by those
that live.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, TypeVar, cast

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from redis.asyncio import Redis

logger = logging.getLogger("acp.queue")

HEARTBEAT_SECONDS: Final = 3.0
ALIVE_SECONDS: Final = 15

_Answer = TypeVar("_Answer")


class ReliableQueue:
    """One named queue as seen by one process; `worker_id` is needed only for taking."""

    def __init__(self, redis: Redis, *, name: str, release: str, worker_id: str = "") -> None:
        """Name the keys; nothing is written yet."""
        self._redis = redis
        self._release = release
        self._worker_id = worker_id
        self._prefix = f"acp:queue:{name}"
        self._pending = self._pending_of(release)
        self._taken = self._taken_by(worker_id)
        self._workers = f"{self._prefix}:workers"
        self._releases = f"{self._prefix}:releases"

    async def push(self, item: str) -> None:
        """Add an item at the end."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.sadd(self._releases, self._release)
            pipe.lpush(self._pending, item)
            await pipe.execute()

    async def take(self, timeout_seconds: int) -> str | None:
        """Take the oldest item, waiting for one at most `timeout_seconds`; it stays listed as taken until `done`."""
        item = await self._redis.blmove(self._pending, self._taken, timeout_seconds, "RIGHT", "LEFT")
        return None if item is None else _text(item)

    async def done(self, item: str) -> None:
        """Forget a taken item."""
        await _answer(self._redis.lrem(self._taken, 1, item))

    async def give_back(self, item: str) -> None:
        """Put a taken item back at the front."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.lrem(self._taken, 1, item)
            pipe.sadd(self._releases, self._release)
            pipe.rpush(self._pending, item)
            await pipe.execute()

    async def beat(self) -> None:
        """Say that this worker lives."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._workers, self._worker_id, self._release)
            pipe.set(self._alive_key(self._worker_id), "1", ex=ALIVE_SECONDS)
            await pipe.execute()

    async def retire(self) -> None:
        """Leave in order: what this worker still holds goes back, and others may adopt it at once."""
        await self._move_all(self._taken, self._pending)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.sadd(self._releases, self._release)
            pipe.hdel(self._workers, self._worker_id)
            pipe.delete(self._alive_key(self._worker_id))
            await pipe.execute()

    async def adopt(self) -> int:
        """Take over what dead workers held and what waits for releases without workers; give the number of items."""
        count = 0
        live_releases = {self._release}
        for worker_id, release in (await _answer(self._redis.hgetall(self._workers))).items():
            if await self._redis.exists(self._alive_key(_text(worker_id))):
                live_releases.add(_text(release))
            else:
                count += await self._move_all(self._taken_by(_text(worker_id)), self._pending)
                await _answer(self._redis.hdel(self._workers, _text(worker_id)))
        for release in map(_text, await _answer(self._redis.smembers(self._releases))):
            if release not in live_releases:
                await _answer(self._redis.srem(self._releases, release))
                count += await self._move_all(self._pending_of(release), self._pending)
        return count

    async def keep_alive(self, stop: asyncio.Event) -> None:
        """Beat and adopt until `stop` is set, through every outage of Redis."""
        while not stop.is_set():
            try:
                await self.beat()
                adopted = await self.adopt()
                if adopted:
                    logger.info("adopted orphaned items", extra={"fields": {"count": adopted}})
            except (RedisError, OSError) as error:
                logger.warning("queue is out of reach", extra={"fields": {"error": type(error).__name__}})
            try:
                await asyncio.wait_for(stop.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                continue

    async def _move_all(self, source: str, target: str) -> int:
        count = 0
        while await self._redis.lmove(source, target, "LEFT", "RIGHT") is not None:
            count += 1
        return count

    def _pending_of(self, release: str) -> str:
        return f"{self._prefix}:pending:{release}"

    def _taken_by(self, worker_id: str) -> str:
        return f"{self._prefix}:taken:{worker_id}"

    def _alive_key(self, worker_id: str) -> str:
        return f"{self._prefix}:alive:{worker_id}"


async def _answer(command: Awaitable[_Answer] | _Answer) -> _Answer:
    """Await a command; the client's types leave open whether it is the asynchronous one."""
    return await cast("Awaitable[_Answer]", command)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
