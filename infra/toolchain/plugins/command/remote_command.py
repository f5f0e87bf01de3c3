"""`command:remote:Command`: a command run on a host when the resource is created, updated or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.provider.experimental import provider as sdk

from infra.toolchain.plugins.command.connection import parse_connection, with_defaults
from infra.toolchain.plugins.command.session import Run, run
from infra.toolchain.plugins.common.diffing import changed_keys, diff_response
from infra.toolchain.plugins.common.ids import with_random_hex
from infra.toolchain.plugins.common.values import (
    Properties,
    has_secret,
    holds_unknown,
    plain,
    plain_properties,
    unknown,
    wrap,
)

if TYPE_CHECKING:
    import asyncio

    from infra.toolchain.plugins.common.engine_log import EngineLog

INPUTS = (
    "addPreviousOutputInEnv", "connection", "create", "delete", "environment", "logging", "stdin", "triggers", "update",
)  # fmt: skip
ID_DIGITS = 8
OUTPUTS = {"stdout": "PULUMI_COMMAND_STDOUT", "stderr": "PULUMI_COMMAND_STDERR"}


class RemoteCommand:
    """Every input changes in place, running `update` or else `create`; only `triggers` replaces."""

    def __init__(self, log: EngineLog, cancelled: asyncio.Event) -> None:
        """Show progress in `log`; stop dialling when `cancelled` is set."""
        self._log = log
        self._cancelled = cancelled

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Fill in the defaults; the connection is always a secret."""
        inputs = {key: value for key, value in request.new_inputs.items() if value.value is not None}
        inputs.setdefault("addPreviousOutputInEnv", wrap(value=True))
        return sdk.CheckResponse(inputs=inputs, failures=check_connection(inputs))

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Compare every input."""
        kinds = changed_keys(plain_properties(request.old_state), plain_properties(request.new_inputs), INPUTS)
        return diff_response(kinds, replacing=("triggers",))

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Run `create`; the id is the resource's name and eight random digits."""
        resource_id = with_random_hex(request.name, ID_DIGITS)
        if request.preview:
            return sdk.CreateResponse(resource_id=resource_id, properties=_previewed(request.properties))
        inputs = plain_properties(request.properties)
        outputs = await self._run(request.urn, inputs.get("create"), inputs, {"stdout": "", "stderr": ""})
        return sdk.CreateResponse(resource_id=resource_id, properties=_state(request.properties, outputs))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Run `update`, or else `create`, with the output of the last run in its environment."""
        if request.preview:
            return sdk.UpdateResponse(properties=_previewed(request.news))
        inputs = plain_properties(request.news)
        previous = _outputs(plain_properties(request.olds))
        command = inputs.get("update", inputs.get("create"))
        outputs = await self._run(request.urn, command, inputs, previous)
        return sdk.UpdateResponse(properties=_state(request.news, outputs))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Run `delete`, if there is one."""
        state = plain_properties(request.properties)
        await self._run(request.urn, state.get("delete"), state, _outputs(state))

    async def _run(
        self, urn: str, command: str | None, inputs: dict[str, Any], previous: dict[str, str]
    ) -> dict[str, str]:
        """Run one command and return stdout and stderr; without a command, those of the last run."""
        if command is None:
            return previous
        wanted = previous if inputs.get("addPreviousOutputInEnv", True) else {}
        request = Run(
            urn=urn,
            connection=parse_connection(inputs["connection"]),
            command=command,
            stdin=inputs.get("stdin", ""),
            environment=inputs.get("environment", {}),
            previous_output={OUTPUTS[key]: text for key, text in wanted.items() if text},
            logging=inputs.get("logging", "stdoutAndStderr"),
        )
        done = await run(request, log=self._log, cancelled=self._cancelled)
        return {"stdout": done.stdout, "stderr": done.stderr}


def check_connection(inputs: Properties) -> list[sdk.CheckFailure]:
    """Fill in the connection's defaults, in place, as a secret; return why it cannot be used."""
    if "connection" not in inputs:
        return [sdk.CheckFailure(property="connection", reason="missing required property 'connection'")]
    connection = plain(inputs["connection"])
    if holds_unknown(connection) and not isinstance(connection, dict):
        return []
    if "host" not in connection:
        return [sdk.CheckFailure(property="connection.host", reason="missing required property 'host'")]
    inputs["connection"] = wrap(with_defaults(connection), secret=True)
    return []


def _outputs(state: dict[str, Any]) -> dict[str, str]:
    """Return the stdout and stderr that a state has."""
    return {key: state.get(key, "") for key in OUTPUTS}


def _previewed(inputs: Properties) -> Properties:
    """Return what a preview knows: the inputs."""
    return {**inputs, **{key: unknown() for key in OUTPUTS}}


def _state(inputs: Properties, outputs: dict[str, str]) -> Properties:
    """Return inputs and outputs as state; a secret command makes its output secret."""
    secret = has_secret(inputs, "create", "update")
    return {**inputs, **{key: wrap(text, secret=secret) for key, text in outputs.items()}}
