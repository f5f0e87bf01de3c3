"""`acp-release notifications`: what was told to whom, what waits, and sending it again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from infra.cli.options import console, emit, json_option, load, stack_option
from infra.cli.tables import print_rows
from infra.notify.announce import start_sender
from infra.notify.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.notify.outbox import Letter

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.2
HEADERS = ("at", "event", "release", "channel", "state", "attempts", "last error")

wait_option = click.option(
    "--wait-seconds",
    type=click.FloatRange(0, 600),
    default=WAIT_SECONDS,
    show_default=True,
    help="Wait this long for the delivery; what is not delivered then stays and is tried again.",
)


@click.command(epilog="Example: acp-release notifications --stack production --resend")
@stack_option
@click.option("--resend", is_flag=True, help="Send what waits or was refused now.")
@wait_option
@json_option
def notifications(stack: str, wait_seconds: float, *, resend: bool, as_json: bool) -> None:
    """Show the notices of a stack that this checkout keeps: delivered, waiting with the reason, or refused."""
    load(stack)
    outbox = Outbox.of(stack)
    if resend:
        for letter in outbox.all_letters():
            if letter.state == "refused":
                outbox.reopen(letter)
        send_now(stack, wait_seconds, lambda: any(letter.state == "pending" for letter in outbox.all_letters()))
    letters = outbox.all_letters()
    emit([as_document(letter) for letter in letters], as_json=as_json, text=lambda: _print(letters))


def send_now(stack: str, wait_seconds: float, is_waiting: Callable[[], bool]) -> None:
    """Start the sender and wait a while for it; it goes on when the time is over."""
    if not is_waiting():
        return
    start_sender(stack)
    click.echo(f"sending; waiting for the delivery for at most {wait_seconds:g} s", err=True)
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline and is_waiting():
        time.sleep(POLL_SECONDS)


def as_document(letter: Letter) -> dict[str, Any]:
    """Return a letter as `--json` prints it."""
    return {
        "id": letter.notice.id,
        "at": letter.notice.at,
        "event": letter.notice.event,
        "release": letter.notice.release,
        "channel": letter.channel,
        "state": letter.state,
        "attempts": letter.attempts,
        "ended_at": letter.ended_at,
        "last_error": letter.last_error,
        "title": letter.notice.title,
        "reason": letter.notice.reason,
    }


def _print(letters: list[Letter]) -> None:
    if not letters:
        console().print("no notices yet")
        return
    print_rows(console(), HEADERS, [_row(letter) for letter in letters])


def _row(letter: Letter) -> tuple[str, ...]:
    """Return the cells of one letter."""
    notice = letter.notice
    cells = (notice.at[:19], notice.event, notice.release, letter.channel, letter.state, str(letter.attempts))
    return (*cells, letter.last_error)
