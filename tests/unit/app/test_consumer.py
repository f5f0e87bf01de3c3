from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from acp_reference.core import consumer as module
from acp_reference.core.consumer import Consumer, PostponeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest


class FakeQueue:
    """Holds items in memory and records what becomes of them."""

    def __init__(self, *items: str) -> None:
        self.items = list(items)
        self.events: list[str] = []
        self.on_empty: Callable[[], None] = lambda: None

    async def take(self, timeout_seconds: int) -> str | None:
        """Give the next item; call `on_empty` when there is none."""
        await asyncio.sleep(0)
        if self.items:
            return self.items.pop(0)
        self.on_empty()
        return None

    async def done(self, item: str) -> None:
        """Record the end of an item."""
        self.events.append(f"done {item}")

    async def give_back(self, item: str) -> None:
        """Record an item that is to be tried again."""
        self.events.append(f"back {item}")

    async def retire(self) -> None:
        """Record the leave."""
        self.events.append("retired")

    async def keep_alive(self, stop: asyncio.Event) -> None:
        """Beat until told to stop."""
        await stop.wait()


def consume(queue: FakeQueue, handle: Callable[[Consumer, str], Awaitable[None]], *, concurrency: int = 1) -> list[str]:
    """Run a consumer until its queue is empty and give what became of the items."""

    async def run() -> None:
        async def handle_one(item: str) -> None:
            await handle(consumer, item)

        consumer = Consumer(queue, handle_one, service="test", concurrency=concurrency)  # type: ignore[arg-type]
        queue.on_empty = consumer.stop
        await consumer.run()

    asyncio.run(run())
    return queue.events


def test_a_stop_finishes_the_item_at_hand() -> None:
    """What is being worked on is finished and marked as done; what was not taken stays in the queue."""
    queue = FakeQueue("one", "two")

    async def handle(consumer: Consumer, item: str) -> None:
        consumer.stop()
        await asyncio.sleep(0)

    assert consume(queue, handle) == ["done one", "retired"]
    assert queue.items == ["two"]


def test_an_item_whose_time_has_not_come_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dependency that is down costs no item."""
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0)

    async def handle(consumer: Consumer, item: str) -> None:
        raise PostponeError("down")

    assert consume(FakeQueue("one"), handle) == ["back one", "retired"]


def test_a_bad_item_does_not_stop_the_queue() -> None:
    """An item that breaks its handler is dropped and the next one is worked on."""

    async def handle(consumer: Consumer, item: str) -> None:
        if item == "bad":
            raise ValueError(item)

    assert consume(FakeQueue("bad", "good"), handle) == ["done bad", "done good", "retired"]


def test_items_are_worked_on_side_by_side() -> None:
    """With a concurrency of two, two items can wait for each other."""

    async def scenario() -> list[str]:
        met = asyncio.Barrier(2)
        queue = FakeQueue("one", "two")

        async def handle(item: str) -> None:
            await met.wait()

        consumer = Consumer(queue, handle, service="test", concurrency=2)  # type: ignore[arg-type]
        queue.on_empty = consumer.stop
        async with asyncio.timeout(5):
            await consumer.run()
        return queue.events

    assert sorted(asyncio.run(scenario())) == ["done one", "done two", "retired"]
