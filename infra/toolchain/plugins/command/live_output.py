"""A running command's output, shown line by line while it runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class LiveOutput:
    """Cuts output into lines and shows each in order; lines may have any length."""

    def __init__(self, show: Callable[[str], Awaitable[None]]) -> None:
        """Show lines with `show`, one at a time."""
        self._show = show
        self._rest = b""
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._worker = asyncio.create_task(self._work())

    def feed(self, data: bytes) -> None:
        """Take output as it arrives."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.put_nowait(line)

    async def finish(self) -> None:
        """Show what is left and return when all is shown."""
        if self._rest:
            self._lines.put_nowait(self._rest)
        self._lines.put_nowait(None)
        await self._worker

    async def _work(self) -> None:
        """Show one line after another until the end."""
        while (line := await self._lines.get()) is not None:
            await self._show(line.decode(errors="replace"))
