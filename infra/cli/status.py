"""`acp-release status`: what the stack says and what the hosts really serve."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from infra.adapters.pulumi_cli import stack_outputs
from infra.cli.options import console, emit, json_option, load, stack_option
from infra.cli.watch import watch
from infra.errors import HostError, ReleaseError
from infra.rollout.context import host_clients

if TYPE_CHECKING:
    from infra.adapters.hostctl import HostctlClient

CALL_TIMEOUT_SECONDS = 30.0


@click.command(epilog="Example: acp-release status --stack local --json")
@stack_option
@json_option
@click.option("--watch", "watching", is_flag=True, help="Show traffic per release live until Ctrl-C.")
def status(stack: str, *, as_json: bool, watching: bool) -> None:
    """Show which release each host serves, and whether the stack agrees. Exit code 20 when they differ."""
    if watching:
        watch(load(stack), (lambda rows: click.echo(json.dumps(rows))) if as_json else None)
        return
    document = read_status(stack)
    emit(document, as_json=as_json, text=lambda: _print(document))
    if document["differences"]:
        raise SystemExit(HostError.exit_code)


def read_status(stack: str) -> dict[str, Any]:
    """Return `{stack, release, urls, images, hosts: [{host, serving, candidate, previous, …}], differences}`."""
    settings = load(stack)
    with ThreadPoolExecutor() as pool:
        outputs = pool.submit(stack_outputs, stack)
        hosts = list(pool.map(_host_status, host_clients(settings)))
    recorded = outputs.result()
    return {
        "stack": stack,
        "release": recorded.get("release"),
        "previous": recorded.get("previous") or None,
        "urls": recorded.get("urls", []),
        "images": recorded.get("images", {}),
        "hosts": hosts,
        "differences": differences(recorded.get("release"), hosts),
    }


def differences(release: str | None, hosts: list[dict[str, Any]]) -> list[str]:
    """Return in words what the hosts do otherwise than the stack's record says."""
    found: list[str] = []
    for host in hosts:
        if host.get("error"):
            found.append(f"{host['host']}: {host['error']}")
            continue
        if host["serving"] != release:
            found.append(
                f"{host['host']} serves {host['serving'] or 'nothing'}, the record says {release or 'nothing'}"
            )
        if host["candidate"]:
            found.append(f"{host['host']} has a candidate on trial: {host['candidate']} ({host['phase']})")
        found += [f"{host['host']}: {line}" for line in host["drift"]]
    return found


def _host_status(client: HostctlClient) -> dict[str, Any]:
    """Return one host's answer, or why there is none."""
    try:
        answer = client.call("status", timeout_seconds=CALL_TIMEOUT_SECONDS)
    except ReleaseError as error:
        return {"host": client.host.name, "serving": None, "candidate": None, "previous": None, "error": error.what}
    return {
        "host": client.host.name,
        "serving": answer["serving"],
        "candidate": answer["candidate"],
        "previous": answer["previous"],
        "parked": answer["parked"],
        "phase": answer["phase"],
        "weight": answer["weight"],
        "lease": answer["lease"],
        "last_trial": answer["last_trial"],
        "containers": answer["releases"],
        "drift": answer["drift"],
    }


def _print(document: dict[str, Any]) -> None:
    screen = console()
    screen.print(f"[bold]{document['stack']}[/bold]: {document['release'] or 'no release yet'}")
    for url in document["urls"]:
        screen.print(f"  url      {url}")
    for name, pinned in document["images"].items():
        screen.print(f"  image    {name} {pinned}")
    table = Table("host", "serving", "candidate", "previous", "phase")
    for host in document["hosts"]:
        table.add_row(
            host["host"],
            host["serving"] or "-",
            host["candidate"] or "-",
            host["previous"] or "-",
            host.get("phase", "unreachable"),
        )
    screen.print(table)
    for line in document["differences"]:
        screen.print(f"[bold]differs:[/bold] {escape(line)}")
