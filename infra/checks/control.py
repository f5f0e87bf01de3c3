"""The prober's control target: answers every request at once, from a process of its own on this machine.

`python -m infra.checks.control` prints its port and serves on the loopback address until its standard input ends, which
it does when the prober ends, however that comes about.
"""

from __future__ import annotations

import asyncio
import os
import sys

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
END_OF_REQUEST = b"\r\n\r\n"


async def serve() -> None:
    """Serve until standard input ends."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), lambda: _read_on(over))
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await over.wait()
    server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request of a connection until the other side ends it."""
    try:
        while True:
            await reader.readuntil(END_OF_REQUEST)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        writer.close()


def _read_on(over: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        over.set()


if __name__ == "__main__":
    asyncio.run(serve())
