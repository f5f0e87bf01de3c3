"""`acp-release rollback --if-needed`: after a deploy that ended badly, go back unless the hosts did."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from infra.adapters.ci import ci_run_id
from infra.adapters.ci_files import add_summary
from infra.adapters.pulumi_cli import stack_outputs
from infra.cli.options import emit, load
from infra.cli.status import read_status
from infra.domain.rollback_need import Need, rollback_need
from infra.errors import RolloutError

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_SECONDS = 3.0
MARGIN_SECONDS = 60.0
"""How long after its deadline a host may take to go back by itself."""


def is_needed(stack: str, *, as_json: bool) -> bool:
    """Say whether to roll back and why, and return it; when there is nothing to do, that is the whole result."""
    need = await_need(stack)
    if need.action == "roll back":
        click.echo(f"rollback needed: {need.why}", err=True)
        return True
    records = f": `acp-release status --stack {stack}` says what records it" if need.action == "record" else ""
    why = f"{need.why}{records}"
    add_summary(f"Nothing to roll back on `{stack}`: {why}.")
    document = {"stack": stack, "needed": False, "why": why}
    emit(document, as_json=as_json, text=lambda: click.echo(f"nothing to roll back: {why}"))
    return False


def await_need(
    stack: str, *, sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.monotonic
) -> Need:
    """Return whether to roll back; hosts on trial get the time in which they go back by themselves.

    Raises `RolloutError` when they still differ from the record then.
    """
    deadline = now() + load(stack).rollout.confirm_timeout_seconds + MARGIN_SECONDS
    while True:
        entry = stack_outputs(stack).get("release_entry") or {}
        need = rollback_need(entry, ci_run_id(os.environ), read_status(stack)["hosts"])
        if need.action != "wait":
            return need
        if now() >= deadline:
            raise RolloutError(
                f"the hosts are not as recorded: {need.why}",
                mend=f"`acp-release status --stack {stack}`, then the runbook",
            )
        click.echo(f"waiting for the hosts: {need.why}", err=True)
        sleep(PAUSE_SECONDS)
