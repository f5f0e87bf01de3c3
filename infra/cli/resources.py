"""`acp-release resources`: what every container uses now, or over some time, against the stack's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress
from rich.table import Table

from infra.cli.options import console, emit, json_option, load, stack_option
from infra.domain.resources import mib
from infra.errors import CheckError, HostError
from infra.rollout.context import host_clients
from infra.rollout.hosts import HostGroup
from infra.rollout.resource_watch import ResourceWatch, watch_for

if TYPE_CHECKING:
    from infra.settings import Settings


@click.command(epilog="Example: acp-release resources --stack staging --seconds 600")
@stack_option
@click.option("--seconds", type=click.FloatRange(min=0), default=0, help="Watch for so long; 0 reads once.")
@json_option
def resources(stack: str, *, seconds: float, as_json: bool) -> None:
    """Show memory, CPU, restarts, connections and disk of every container. Exit code 50 when a limit is broken."""
    summary = read_resources(load(stack), seconds, quiet=as_json)
    emit(summary, as_json=as_json, text=lambda: _print(summary))
    if any(verdict["verdict"] == "breach" for verdict in summary["verdicts"]):
        raise SystemExit(CheckError.exit_code)


def read_resources(settings: Settings, seconds: float, *, quiet: bool) -> dict[str, Any]:
    """Return readings and verdicts on every container; raise `HostError` when no host answered."""
    watch = ResourceWatch(HostGroup(clients=host_clients(settings), leases={}), settings.resources)
    if seconds:
        with Progress(console=console(), transient=True, disable=quiet) as progress:
            task = progress.add_task("watching", total=seconds)
            watch_for(watch, seconds, lambda passed: progress.update(task, completed=passed))
    watch.read()
    summary = watch.summary()
    if not summary["hosts"]:
        stack = settings.stack
        raise HostError(f"no host of stack {stack} answered", mend=f"`acp-release status --stack {stack}` says why")
    return summary


def _print(summary: dict[str, Any]) -> None:
    table = Table(
        "host", "container", "release", "memory", "limit", "CPU %", "restarts", "OOM kills", "connections", "disk"
    )
    for row in summary["containers"]:
        connections, disk = row["connections"][-1], row["disk_bytes"][-1]
        table.add_row(
            row["host"],
            row["name"],
            row["release"],
            mib(row["memory_bytes"][-1]),
            mib(row["memory_limit_bytes"]),
            f"{row['cpu_percent'][-1]:.0f}",
            str(row["restarts"]),
            str(row["oom_kills"]),
            "-" if connections is None else str(connections),
            "-" if disk is None else mib(disk),
        )
    console().print(table)
    for verdict in summary["verdicts"]:
        if verdict["verdict"] != "ok":
            console().print(
                f"{verdict['verdict']}: {verdict['measure']} of {verdict['container']} on {verdict['host']}:"
                f" {verdict['reason']}",
                markup=False,
            )
