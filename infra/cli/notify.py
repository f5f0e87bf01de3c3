"""`acp-release notify`: tell of an event that `pulumi up` does not see, as a workflow's approval or a failed job."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import click

from infra.adapters.ci import ci_run_id
from infra.adapters.git import head_commit
from infra.adapters.pulumi_cli import stack_outputs
from infra.cli.notifications import send_now, wait_option
from infra.cli.options import emit, json_option, load, stack_option
from infra.domain.notices.notice import EVENTS, OUTCOMES, Event
from infra.errors import ReleaseError
from infra.notify.announce import put_notice
from infra.notify.channels import wanting
from infra.notify.outbox import Outbox
from infra.paths import PROJECT_ROOT
from infra.rollout.context import who

if TYPE_CHECKING:
    from infra.notify.outbox import Letter, State
    from infra.settings import Settings

STATES: dict[State, str] = {"pending": "kept, will be tried again", "delivered": "sent", "refused": "REFUSED"}
RECORDED = frozenset({"succeeded", "rolled-back", "drift"})
"""Events about the release that the record has as the current one."""


@click.command(epilog="Example: acp-release notify --stack production --event waiting --reason approve")
@stack_option
@click.option("--event", required=True, type=click.Choice(EVENTS), help="What happened.")
@click.option("--reason", default="", metavar="TEXT", help="Why, in a sentence.")
@click.option("--release", metavar="RELEASE", help="Release it is about; default: the recorded one, where it fits.")
@wait_option
@json_option
def notify(stack: str, event: str, reason: str, release: str | None, wait_seconds: float, *, as_json: bool) -> None:
    """Tell the stack's channels of an event, and say of each what became of it.

    A channel that is down or refuses never makes this fail: the notice is kept. Within a CI run, an outcome that
    `pulumi up` told already is not told again; a failure after a success is.
    """
    settings = load(stack)
    happened = cast("Event", event)
    run_id = ci_run_id(os.environ) or f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}"
    outbox = Outbox.of(stack)
    is_known = outbox.failure_told(run_id) if happened == "failed" else happened in OUTCOMES and outbox.told(run_id)
    put = [] if is_known else _put(settings, happened, run_id, reason, release)
    if put:
        send_now(
            stack, wait_seconds, lambda: any(item.state == "pending" for item in _letters(outbox, run_id, happened))
        )
    letters = [] if is_known else _letters(outbox, run_id, happened)
    document: dict[str, Any] = {
        "event": event,
        "run_id": run_id,
        "channels": put,
        "told_before": is_known,
        "waiting": [letter.channel for letter in letters if letter.state == "pending"],
        "refused": [letter.channel for letter in letters if letter.state == "refused"],
        "errors": {letter.channel: letter.last_error for letter in letters if letter.last_error},
    }
    emit(document, as_json=as_json, text=lambda: _print(stack, document, letters))


def _put(settings: Settings, event: Event, run_id: str, reason: str, release: str | None) -> list[str]:
    """Put the notice into the outbox and return its channels."""
    if not wanting(settings, event, os.environ):
        return []
    recorded = _record(settings.stack) if release is None and event in RECORDED else {}
    return put_notice(
        settings,
        event,
        run_id,
        os.environ,
        release=release or str(recorded.get("release") or ""),
        commit=str(recorded.get("commit") or os.environ.get("GITHUB_SHA") or head_commit(PROJECT_ROOT)),
        replaced=str(recorded.get("replaced") or ""),
        who=who(),
        reason=reason,
    )


def _record(stack: str) -> dict[str, Any]:
    """Return what is recorded of the current release; a record that cannot be read is no reason to say nothing."""
    try:
        entry: dict[str, Any] = stack_outputs(stack).get("release_entry") or {}
    except ReleaseError:
        return {}
    return entry


def _letters(outbox: Outbox, run_id: str, event: Event) -> list[Letter]:
    """Return the letters of this event, also those that an earlier call of the same CI run put."""
    return [letter for letter in outbox.all_letters() if (letter.notice.run_id, letter.notice.event) == (run_id, event)]


def _print(stack: str, document: dict[str, Any], letters: list[Letter]) -> None:
    if document["told_before"]:
        click.echo("the outcome of this run was told already")
    elif not letters:
        click.echo(f"no channel of stack {stack} wants to know of {document['event']}")
    for letter in letters:
        why = f": {letter.last_error}" if letter.last_error else ""
        click.echo(f"{letter.channel}: {STATES[letter.state]}{why}")
    if document["refused"]:
        click.echo(f"when that is mended: `acp-release notifications --stack {stack} --resend`")
