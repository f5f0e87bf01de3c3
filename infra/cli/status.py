"""`acp-release status`: what the stack says and what the hosts really serve."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from infra.adapters.backend_address import backend_place
from infra.adapters.pulumi_cli import stack_outputs
from infra.cli.options import console, emit, json_option, load, say_asking, stack_option
from infra.cli.repair import repair_hosts
from infra.cli.tables import print_rows
from infra.cli.watch import watch
from infra.domain.differences import find_differences
from infra.errors import HostError, ReleaseError
from infra.rollout.context import host_clients

if TYPE_CHECKING:
    from infra.adapters.hostctl import HostctlClient

CALL_TIMEOUT_SECONDS = 30.0


@click.command(epilog="Example: acp-release status --stack local --repair")
@stack_option
@json_option
@click.option("--watch", "watching", is_flag=True, help="Show traffic per release live until Ctrl-C.")
@click.option("--repair", "repairing", is_flag=True, help="Put the hosts right first; data is never touched.")
def status(stack: str, *, as_json: bool, watching: bool, repairing: bool) -> None:
    """Show which release each host serves, and where stack, record and hosts differ. Exit code 20 when they do."""
    if watching:
        watch(load(stack), (lambda rows: click.echo(json.dumps(rows))) if as_json else None)
        return
    repairs = repair_hosts(load(stack), stack_outputs(stack)) if repairing else None
    say_asking(host.name for host in load(stack).hosts)
    document = read_status(stack) | ({} if repairs is None else {"repairs": repairs})
    emit(document, as_json=as_json, text=lambda: _print(document))
    if document["differences"]:
        raise SystemExit(HostError.exit_code)


def read_status(stack: str) -> dict[str, Any]:
    """Return `{stack, release, urls, images, hosts: [{host, serving, …}], differences: [{host, what, mend}]}`."""
    settings = load(stack)
    with ThreadPoolExecutor() as pool:
        outputs = pool.submit(stack_outputs, stack)
        hosts = list(pool.map(_host_status, host_clients(settings)))
    recorded = outputs.result()
    known = {entry["release"] for entry in recorded.get("history") or []}
    found = find_differences(stack, recorded.get("release_entry") or {}, hosts, known)
    return {
        "stack": stack,
        "release": recorded.get("release"),
        "previous": recorded.get("previous") or None,
        "urls": recorded.get("urls", []),
        "images": recorded.get("images", {}),
        "hosts": hosts,
        "differences": [difference.to_json() for difference in found],
    }


def _host_status(client: HostctlClient) -> dict[str, Any]:
    """Return one host's answer, or why there is none."""
    try:
        answer = client.call("status", timeout_seconds=CALL_TIMEOUT_SECONDS)
    except ReleaseError as error:
        return {
            "host": client.host.name,
            "serving": None,
            "candidate": None,
            "previous": None,
            "error": error.what,
            "mend": error.mend,
        }
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
    release = document["release"] or f"no release yet in the backend {backend_place(os.environ)}"
    screen.print(f"[bold]{document['stack']}[/bold]: {escape(release)}")
    for url in document["urls"]:
        screen.print(f"  url      {escape(url)}")
    for name, pinned in document["images"].items():
        screen.print(f"  image    {name} {escape(pinned)}")
    rows = [
        (
            host["host"],
            host["serving"] or "-",
            host["candidate"] or "-",
            host["previous"] or "-",
            host.get("phase", "unreachable"),
        )
        for host in document["hosts"]
    ]
    print_rows(screen, ("host", "serving", "candidate", "previous", "phase"), rows)
    for difference in document["differences"]:
        screen.print(f"[bold]differs:[/bold] {escape(difference['host'])}: {escape(difference['what'])}")
        screen.print(f"  mend:  {escape(difference['mend'])}")
