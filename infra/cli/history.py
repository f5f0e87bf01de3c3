"""`acp-release history`: the releases of a stack, the newest first."""

from __future__ import annotations

import click
from rich.table import Table

from infra.adapters.pulumi_cli import stack_outputs
from infra.cli.options import console, emit, json_option, stack_option


@click.command(epilog="Example: acp-release history --stack production --json")
@stack_option
@json_option
def history(stack: str, *, as_json: bool) -> None:
    """List the recorded releases of a stack."""
    entries = stack_outputs(stack).get("history", [])

    def text() -> None:
        table = Table("release", "version", "strategy", "run", "checks")
        for entry in entries:
            table.add_row(
                entry["release"], entry["version"], entry["strategy"], entry["run_id"], str(len(entry["checks"]))
            )
        console().print(table)

    emit(entries, as_json=as_json, text=text)
