"""`acp-release doctor`: every prerequisite of this machine, its state and its mend."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from infra.toolchain import places, status
from infra.toolchain.errors import EXIT_NOT_READY


@click.command(epilog="Example: acp-release doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, as_json: bool) -> None:
    """List every prerequisite, its state and its mend. Exit code 0: all ready; 70: something is missing."""
    states = status.collect(places.find())
    ready = all(state.ready for _, state in states)
    if as_json:
        click.echo(status.as_json(states))
    else:
        table = Table("", "prerequisite", "found", *([] if ready else ["mend"]), box=None, pad_edge=False)
        for name, state in states:
            mark = "[green]ready[/]" if state.ready else "[red]missing[/]"
            table.add_row(mark, name, state.detail, *([] if ready else [state.mend]))
        Console().print(table)
    if not ready:
        raise SystemExit(EXIT_NOT_READY)
