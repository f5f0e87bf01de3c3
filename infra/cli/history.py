"""`acp-release history`: everything that happened to a stack, the newest first."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from infra.audit.events import read_events
from infra.cli.options import console, emit, json_option, load, say_asking, stack_option
from infra.cli.tables import print_rows
from infra.rollout.context import host_clients

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.domain.history import Event

COMMIT_LENGTH = 8
HEADERS = ("when (UTC)", "what", "release", "who", "from", "approved by", "verdicts")


@click.command(epilog="Example: acp-release history --stack production --json")
@stack_option
@json_option
@click.option("--limit", type=click.IntRange(min=1), help="Show only this many, the newest.")
@click.option("--offline", is_flag=True, help="Do not ask the hosts for reverts that they made themselves.")
def history(stack: str, *, as_json: bool, limit: int | None, offline: bool) -> None:
    """List what happened to a stack: releases, promotions, rollbacks, failed updates, reverts that hosts made."""
    clients = () if offline else host_clients(load(stack))
    if clients:
        say_asking(client.host.name for client in clients)
    read = read_events(stack, clients)
    for line in read.unasked:
        click.echo(line, err=True)
    events = read.events[::-1][:limit]
    emit([asdict(event) for event in events], as_json=as_json, text=lambda: _print(events))


def _print(events: Sequence[Event]) -> None:
    """Print the events as a table."""
    rows = [
        (
            event.ended_at[:19].replace("T", " "),
            _what(event),
            event.release or "-",
            event.who or "-",
            _origin(event),
            event.approver or "-",
            _verdicts(event),
        )
        for event in events
    ]
    print_rows(console(), HEADERS, rows)


def _what(event: Event) -> str:
    """Return kind and outcome in words."""
    if event.kind == "revert":
        return f"reverted by {event.host}"
    what = (event.operation if event.operation != "update" else "") or event.kind
    undone = f" of {event.undoes}" if event.undoes else ""
    return f"{what}{undone}" if event.outcome == "succeeded" else f"{what}{undone} failed"


def _origin(event: Event) -> str:
    """Return commit, branch and where it was started."""
    parts = [event.commit[:COMMIT_LENGTH], event.branch, event.ci_run or event.source]
    return " ".join(part for part in parts if part) or "-"


def _verdicts(event: Event) -> str:
    """Return why it failed, or what was judged."""
    if event.reason:
        return event.reason
    lines = [
        f"{name} {value['passed']}/{value['passed'] + value['failed']}"
        for name, value in event.verdicts.items()
        if "failed" in value
    ]
    scans = event.verdicts.get("scans") or {}
    if scans:
        passed = sum(str(verdict).startswith("passed") for verdict in scans.values())
        lines.append(f"scans {passed}/{len(scans)}")
    return ", ".join(lines) or "-"
