"""`command:remote:CopyToRemote`: a file, text or folder copied to a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.provider.experimental import provider as sdk

from infra.toolchain.plugins.command.connection import parse_connection
from infra.toolchain.plugins.command.dialing import dialed
from infra.toolchain.plugins.command.remote_command import check_connection
from infra.toolchain.plugins.command.source import parse_source, source_problem
from infra.toolchain.plugins.common.diffing import changed_keys, diff_response
from infra.toolchain.plugins.common.ids import with_random_hex
from infra.toolchain.plugins.common.values import holds_unknown, plain, plain_properties

if TYPE_CHECKING:
    import asyncio

    from infra.toolchain.plugins.common.engine_log import EngineLog

INPUTS = ("connection", "remotePath", "source", "triggers")
REQUIRED = ("remotePath", "source")
ID_DIGITS = 8


class CopyToRemote:
    """Copies when the content or the path changes; a new connection alone is only noted, nothing is ever deleted."""

    def __init__(self, log: EngineLog, cancelled: asyncio.Event) -> None:
        """Show progress in `log`; stop dialling when `cancelled` is set."""
        self._log = log
        self._cancelled = cancelled

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Fill in the connection's defaults and refuse a source that cannot be copied."""
        inputs = {key: value for key, value in request.new_inputs.items() if value.value is not None}
        failures = check_connection(inputs)
        failures += [
            sdk.CheckFailure(property=key, reason=f"missing required property '{key}'")
            for key in REQUIRED
            if key not in inputs
        ]
        source = plain(inputs["source"]) if "source" in inputs else None
        if source is not None and not holds_unknown(source) and (problem := source_problem(source)):
            failures.append(sdk.CheckFailure(property="source", reason=problem))
        return sdk.CheckResponse(inputs=inputs, failures=failures)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Compare every input; a source by the hash of its content."""
        kinds = changed_keys(plain_properties(request.old_state), plain_properties(request.new_inputs), INPUTS)
        return diff_response(kinds, replacing=("triggers",))

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Copy; the id is eight random digits."""
        if request.preview:
            return sdk.CreateResponse(resource_id="", properties=request.properties)
        await self._copy(request.urn, plain_properties(request.properties))
        return sdk.CreateResponse(resource_id=with_random_hex("", ID_DIGITS), properties=request.properties)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Copy again when what or where changed."""
        before, after = plain_properties(request.olds), plain_properties(request.news)
        moved = before.get("remotePath") != after["remotePath"]
        if not request.preview and (moved or before.get("source", {}).get("hash") != after["source"].get("hash")):
            await self._copy(request.urn, after)
        return sdk.UpdateResponse(properties=request.news)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Leave the copy on the host."""

    async def _copy(self, urn: str, inputs: dict[str, Any]) -> None:
        """Connect and copy."""
        from infra.toolchain.plugins.command.transfer import copy  # noqa: PLC0415 - loads asyncssh

        async def report(text: str) -> None:
            await self._log.status(urn, text)

        connection = parse_connection(inputs["connection"])
        async with dialed(connection, report=report, cancelled=self._cancelled) as client:
            await copy(client, parse_source(inputs["source"]), inputs["remotePath"])
