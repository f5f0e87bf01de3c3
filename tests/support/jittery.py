"""A local HTTP server whose answers take as long as real ones: most about the same, some longer, few far longer."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jitter:
    """How long answers take: a floor, a skewed part on top, now and then some times as long, and slow spells."""

    floor_ms: float = 30
    usual_ms: float = 10
    spike_rate: float = 0.02
    spike_factor: float = 4
    spell_seconds: float = 0.3
    between_spells_seconds: float = 4
    spell_factor: float = 1.5

    def milliseconds(self, chance: random.Random) -> float:
        """Return the time of one answer."""
        took = self.floor_ms + chance.gammavariate(2, self.usual_ms / 2)
        return took * (chance.uniform(2, self.spike_factor) if chance.random() < self.spike_rate else 1)


@contextlib.contextmanager
def jittery(jitter: Jitter, *factors: float, seed: int = 0) -> Iterator[list[str]]:
    """Serve one address per factor, each that many times as slow as `jitter` says, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="jittery", daemon=True)
    thread.start()
    servers = [
        asyncio.run_coroutine_threadsafe(_serve(jitter, factor, random.Random(seed + index)), loop).result(timeout=5)  # noqa: S311 - noise
        for index, factor in enumerate(factors)
    ]
    try:
        yield [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
    finally:
        asyncio.run_coroutine_threadsafe(_end(servers), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()


class Spells:
    """Times in which one server is busy with something else, as a container is that collects garbage or is probed."""

    def __init__(self, jitter: Jitter, chance: random.Random) -> None:
        """Begin with a quiet time."""
        self._jitter, self._chance = jitter, chance
        self._changes_at = time.monotonic() + chance.expovariate(1 / jitter.between_spells_seconds)
        self._is_slow = False

    def factor(self) -> float:
        """Return how many times as long an answer takes at this moment."""
        while time.monotonic() > self._changes_at:
            self._is_slow = not self._is_slow
            usual = self._jitter.spell_seconds if self._is_slow else self._jitter.between_spells_seconds
            self._changes_at += self._chance.expovariate(1 / usual)
        return self._jitter.spell_factor if self._is_slow else 1


async def _serve(jitter: Jitter, factor: float, chance: random.Random) -> asyncio.Server:
    spells = Spells(jitter, chance)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(factor * spells.factor() * jitter.milliseconds(chance) / 1000)
                writer.write(ANSWER)
                await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


async def _end(servers: list[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    # The handlers see their clients go before the loop ends.
    await asyncio.sleep(0.05)
