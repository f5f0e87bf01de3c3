"""One command on an open SSH connection: what goes in, what comes out, how it ends."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncssh

from infra.toolchain.plugins.command.environment import Variables, asking_for
from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.common.gotext import quote

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNAL_STATUS_BASE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a command that exited 0 wrote."""

    stdout: str
    stderr: str


class CollectingSession(asyncssh.SSHClientSession[bytes]):
    """Collects stdout and stderr, apart and in the order they came."""

    def __init__(self, shown: Callable[[bytes, bool], None]) -> None:
        """Hand every piece to `shown` too, with whether it is stderr."""
        self.stdout, self.stderr, self.both = bytearray(), bytearray(), bytearray()
        self._shown = shown

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Take one piece of output."""
        is_stderr = datatype == asyncssh.EXTENDED_DATA_STDERR
        (self.stderr if is_stderr else self.stdout).extend(data)
        self.both.extend(data)
        self._shown(data, is_stderr)


async def execute(
    client: asyncssh.SSHClientConnection,
    command: str,
    *,
    stdin: str,
    variables: Variables,
    shown: Callable[[bytes, bool], None],
) -> Output:
    """Run `command`; raise `PluginError` with the command and all its output unless it exits 0, or `RefusedError`."""
    session = CollectingSession(shown)
    with asking_for(variables):
        try:
            channel, _ = await client.create_session(lambda: session, command, encoding=None, env=None, send_env=None)
        except asyncssh.ChannelOpenError as error:
            message = f"ssh: command {command} failed: {error.reason}"
            raise PluginError(message) from None
    # A command that needs no input may have ended before it got any; its exit status says how.
    with contextlib.suppress(BrokenPipeError):
        channel.write(stdin.encode())
        channel.write_eof()
    await channel.wait_closed()
    problem = _problem(channel)
    if problem:
        message = f"{problem}: running {quote(command)}:\n{session.both.decode(errors='replace')}"
        raise PluginError(message)
    return Output(stdout=_text(session.stdout), stderr=_text(session.stderr))


def _problem(channel: asyncssh.SSHClientChannel[Any]) -> str:
    """Return how the command ended in the official plugin's words; nothing for exit status 0."""
    ended_by = channel.get_exit_signal()
    if ended_by is not None:
        name, _, reason, _ = ended_by
        number = SIGNAL_STATUS_BASE + getattr(signal, f"SIG{name}", 0)
        return f"Process exited with status {number} from signal {name}" + (f". Reason was: {reason}" if reason else "")
    status: int | None = channel.get_exit_status()
    if status is None:
        return "wait: remote command exited without exit status or exit signal"
    return f"Process exited with status {status}" if status else ""


def _text(output: bytearray) -> str:
    """Return output as text, without its last newline."""
    return output.decode(errors="replace").removesuffix("\n")
