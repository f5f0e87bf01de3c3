"""`acp-release resources`: what every container uses now, or over some time, against the stack's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from infra.cli.options import console, emit, json_option, load, say_asking, stack_option
from infra.cli.tables import print_rows
from infra.domain.resources import mib
from infra.errors import CheckError, HostError
from infra.rollout.context import host_clients
from infra.rollout.hosts import HostGroup
from infra.rollout.resource_watch import ResourceWatch, watch_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings import Settings

HEADERS = ("host", "container", "release", "memory", "limit", "CPU %", "restarts", "OOM kills", "connections", "disk")


@click.command(epilog="Example: acp-release resources --stack staging --seconds 600")
@stack_option
@click.option("--seconds", type=click.FloatRange(min=0), default=0, help="Watch for so long; 0 reads once.")
@json_option
def resources(stack: str, *, seconds: float, as_json: bool) -> None:
    """Show memory, CPU, restarts, connections and disk of every container. Exit code 50 when a limit is broken.

    20 when a host did not answer; CPU takes two readings, so it is not known without `--seconds`.
    """
    summary = read_resources(load(stack), seconds, quiet=as_json)
    for host in summary["unanswered"]:
        click.echo(f"{host} did not answer: `acp-release status --stack {stack}` says why", err=True)
    emit(summary, as_json=as_json, text=lambda: _print(summary))
    if any(verdict["verdict"] == "breach" for verdict in summary["verdicts"]):
        raise SystemExit(CheckError.exit_code)
    if summary["unanswered"]:
        raise SystemExit(HostError.exit_code)


def read_resources(settings: Settings, seconds: float, *, quiet: bool) -> dict[str, Any]:
    """Return readings and verdicts on every container, and the hosts that are `unanswered`.

    Raises `HostError` when no host answered.
    """
    say_asking(host.name for host in settings.hosts)
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
    unanswered = [host.name for host in settings.hosts if host.name not in summary["hosts"]]
    return {**summary, "unanswered": unanswered}


def _row(container: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of one container."""
    cpu, connections, disk = (container[name][-1] for name in ("cpu_percent", "connections", "disk_bytes"))
    return (
        container["host"],
        container["name"],
        container["release"],
        mib(container["memory_bytes"][-1]),
        mib(container["memory_limit_bytes"]),
        "-" if cpu is None else f"{cpu:.0f}",
        str(container["restarts"]),
        str(container["oom_kills"]),
        "-" if connections is None else str(connections),
        "-" if disk is None else mib(disk),
    )


def _print(summary: dict[str, Any]) -> None:
    print_rows(console(), HEADERS, [_row(container) for container in summary["containers"]])
    for verdict in summary["verdicts"]:
        if verdict["verdict"] != "ok":
            console().print(
                f"{verdict['verdict']}: {verdict['measure']} of {verdict['container']} on {verdict['host']}:"
                f" {verdict['reason']}",
                markup=False,
            )
