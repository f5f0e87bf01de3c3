"""`acp-release report`: the page of one release."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from infra.adapters.pulumi_cli import stack_outputs
from infra.cli.options import console, emit, json_option, stack_option
from infra.errors import UsageError
from infra.reports.record import document_of
from infra.reports.store import read_report, write_report


@click.command(epilog="Example: acp-release report v1.4.2-1a2b3c4d --stack production")
@click.argument("release", required=False)
@stack_option
@json_option
def report(release: str | None, stack: str, *, as_json: bool) -> None:
    """Write the HTML page of RELEASE (default: the current one) again and say where it is.

    What is recorded comes from the record, with the details that its run left on this machine; a later run that was
    not recorded, since it failed, is shown as this machine has it. A page of another run is kept beside it.
    """
    outputs = stack_outputs(stack)
    wanted = release or outputs.get("release") or ""
    entry = next((entry for entry in outputs.get("history", []) if entry["release"] == wanted), None)
    document = _newest(
        document_of(entry, stack) if entry else {}, (read_report(stack, wanted) if wanted else None) or {}
    )
    if not document:
        raise UsageError(
            f"nothing is known of release {wanted or '(none yet)'} on stack {stack}",
            mend=f"`acp-release history --stack {stack}` lists the recorded ones",
        )
    document["is_current"] = wanted == outputs.get("release")
    page = write_report(document)
    emit({"page": str(page), **document}, as_json=as_json, text=lambda: console().print(str(page)))


def _newest(recorded: dict[str, Any], local: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a release's last run: the recorded one with its own details, or a later local one."""
    began, ended = _moment(local.get("started_at")), _moment(recorded.get("ended_at"))
    # A run that verifies a recorded release again may have its run id: what began after the record is not in it.
    if not recorded or (began and ended and began > ended):
        return dict(local)
    is_same = local.get("run_id") == recorded.get("run_id")
    return {**(local if is_same else {}), **recorded}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
