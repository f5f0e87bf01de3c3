"""`acp-release report`: the page of one release."""

from __future__ import annotations

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

    What is recorded comes from the record; of a release that was not made, and of details that no record has, what its
    update left on this machine is shown.
    """
    outputs = stack_outputs(stack)
    wanted = release or outputs.get("release") or ""
    entry = next((entry for entry in outputs.get("history", []) if entry["release"] == wanted), None)
    document = {
        **((read_report(stack, wanted) if wanted else None) or {}),
        **(document_of(entry, stack) if entry else {}),
    }
    if not document:
        raise UsageError(
            f"nothing is known of release {wanted or '(none yet)'} on stack {stack}",
            mend=f"`acp-release history --stack {stack}` lists the recorded ones",
        )
    page = write_report(document)
    emit({"page": str(page), **document}, as_json=as_json, text=lambda: console().print(str(page)))
