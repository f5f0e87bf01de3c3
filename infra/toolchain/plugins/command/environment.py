"""Environment variables of a remote command, each asked for: an SSH server may refuse any of them.

asyncssh sends them without asking for an answer. Its client channel is therefore replaced by one that asks, between
opening the channel and starting the command; asyncssh makes the channel, so the variables travel in a context variable.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncssh.connection
from asyncssh.channel import SSHClientChannel
from asyncssh.packet import String

if TYPE_CHECKING:
    from collections.abc import Iterator


class RefusedError(Exception):
    """The server refused a variable that the command must have; its name is the argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """Variables the command must have and those it may do without; `refused` collects the latter's names."""

    required: dict[str, str]
    optional: dict[str, str]
    refused: list[str] = field(default_factory=list)


_wanted: ContextVar[Variables | None] = ContextVar("wanted", default=None)


@contextmanager
def asking_for(variables: Variables) -> Iterator[None]:
    """Ask for `variables` on the channel opened in this block; `RefusedError` comes before the command starts."""
    token = _wanted.set(variables)
    try:
        yield
    finally:
        _wanted.reset(token)


class AskingChannel(SSHClientChannel[Any]):
    """A client channel that asks for the wanted environment variables as soon as it is open."""

    async def _open(self, chantype: bytes, *args: bytes) -> Any:
        """Open the channel and ask for each variable."""
        packet = await super()._open(chantype, *args)
        wanted = _wanted.get()
        if wanted is None:
            return packet
        for name, value in wanted.required.items():
            if not await self._accepted(name, value):
                self.close()
                raise RefusedError(name)
        wanted.refused.extend(
            [name for name, value in wanted.optional.items() if not await self._accepted(name, value)]
        )
        return packet

    async def _accepted(self, name: str, value: str) -> bool:
        """Ask for one variable and return the server's answer."""
        return bool(await self._make_request(b"env", String(name), String(value)))


asyncssh.connection.SSHClientChannel = AskingChannel  # type: ignore[attr-defined]
