"""`acp-release audit`: is the history what it was, and a copy of it for others."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from infra.adapters.files import key_path
from infra.adapters.pulumi_cli import stack_outputs
from infra.adapters.ssh_key import sign_raw
from infra.audit.events import read_events
from infra.audit.export import as_csv, as_json_lines, envelope, statement
from infra.audit.verification import Verified, verify_stack
from infra.cli.options import console, emit, json_option, load, say_asking, stack_option
from infra.domain.chain import canonical
from infra.errors import CheckError, HostError
from infra.rollout.context import host_clients

if TYPE_CHECKING:
    from infra.audit.events import ReadEvents
    from infra.settings import Settings

FORMATS = {"jsonl": as_json_lines, "csv": as_csv}


@click.group()
def audit() -> None:
    """Verify the history of a stack, or export it."""


@audit.command(epilog="Example: acp-release audit verify --stack production")
@stack_option
@json_option
def verify(stack: str, *, as_json: bool) -> None:
    """Compare backend, record and hosts; name every entry that was changed, removed, reordered or invented.

    Exit code 50 when there is one.
    """
    clients = host_clients(load(stack))
    say_asking(client.host.name for client in clients)
    found = verify_stack(stack, clients)
    emit(asdict(found), as_json=as_json, text=lambda: _print(stack, found))
    if found.problems:
        raise SystemExit(CheckError.exit_code)


@audit.command(epilog="Example: acp-release audit export --stack production --format csv --output history.csv")
@stack_option
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, "in-toto"]),
    default="jsonl",
    show_default=True,
    help="JSON Lines, CSV, or an in-toto attestation signed with the release key.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File; default: standard output.")
def export(stack: str, form: str, output: Path | None) -> None:
    """Write the whole history with its chain, the oldest first. Exit code 20 when a host's journal is not in it."""
    settings = load(stack)
    clients = host_clients(settings)
    say_asking(client.host.name for client in clients)
    read = read_events(stack, clients, is_chained=True)
    text = _attestation(settings, read) if form == "in-toto" else FORMATS[form](read.events)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
    if read.unasked:
        raise HostError(
            "\n".join(["it was written without what these hosts know:", *read.unasked]),
            mend=f"`acp-release status --stack {stack}` says why; export it again once they answer",
        )


def _attestation(settings: Settings, read: ReadEvents) -> str:
    """Return the statement, in an envelope signed with the stack's release key where it has one."""
    images = stack_outputs(settings.stack).get("images") or {}
    document: dict[str, Any] = statement(settings.stack, read.events, images, read.unasked)
    signing = settings.gate.signing
    if signing is not None:
        key_file = key_path(signing.release_key_file)
        document = envelope(document, lambda content: sign_raw(content, key_file))
    return f"{canonical(document)}\n"


def _print(stack: str, found: Verified) -> None:
    screen = console()
    for problem in found.problems:
        screen.print(f"[bold]{escape(str(problem))}[/bold]  ({problem.where})")
    for note in found.notes:
        screen.print(f"note: {escape(note)}")
    verdict = f"{len(found.problems)} problems" if found.problems else "whole"
    screen.print(f"{stack}: {found.updates} updates, {found.anchors} anchors, head {found.head[:16] or '-'}: {verdict}")
