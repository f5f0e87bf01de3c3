"""A command run start to finish: connect, tell the user, execute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.toolchain.plugins.command.dialing import dialed
from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.common.gotext import quote

if TYPE_CHECKING:
    import asyncio

    from infra.toolchain.plugins.command.connection import Connection
    from infra.toolchain.plugins.command.execution import Output
    from infra.toolchain.plugins.common.engine_log import EngineLog

REFUSED = """Unable to set '{name}'. This only works if your SSH server is configured to accept
\tthese variables via AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, you could
\tprefix the command itself with the variables in the form 'VAR=value command'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a command, for the resource `urn`."""

    urn: str
    connection: Connection
    command: str
    stdin: str
    environment: dict[str, str]
    previous_output: dict[str, str]
    logging: str


async def run(request: Run, *, log: EngineLog, cancelled: asyncio.Event) -> Output:
    """Run the command and return its output; its lines are shown as `logging` says."""
    from infra.toolchain.plugins.command.environment import RefusedError, Variables  # noqa: PLC0415 - loads asyncssh
    from infra.toolchain.plugins.command.execution import execute  # noqa: PLC0415
    from infra.toolchain.plugins.command.live_output import LiveOutput  # noqa: PLC0415

    async def report(text: str) -> None:
        await log.status(request.urn, text)

    live = LiveOutput(report)

    def shown(data: bytes, is_stderr: bool) -> None:
        if request.logging in {"stdoutAndStderr", "stderr" if is_stderr else "stdout"}:
            live.feed(data)

    variables = Variables(required=request.environment, optional=request.previous_output)
    try:
        async with dialed(request.connection, report=report, cancelled=cancelled) as client:
            return await execute(client, request.command, stdin=request.stdin, variables=variables, shown=shown)
    except RefusedError as error:
        await log.problem(request.urn, REFUSED.format(name=error))
        message = f"could not set environment variable {quote(str(error))}: ssh: setenv failed"
        raise PluginError(message) from None
    finally:
        await live.finish()
        for name in variables.refused:
            await log.warning(request.urn, REFUSED.format(name=name))
