"""`acp-release show`: one recorded release."""

from __future__ import annotations

import os

import click

from infra.adapters.backend_address import backend_place
from infra.adapters.pulumi_cli import stack_outputs
from infra.cli.options import console, emit, json_option, stack_option
from infra.errors import UsageError


@click.command(epilog="Example: acp-release show v1.4.2-1a2b3c4d --stack production")
@click.argument("release", required=False)
@stack_option
@json_option
def show(release: str | None, stack: str, *, as_json: bool) -> None:
    """Show what is recorded of RELEASE (default: the current one)."""
    outputs = stack_outputs(stack)
    entries = {entry["release"]: entry for entry in reversed(outputs.get("history", []))}
    wanted = release or outputs.get("release")
    if wanted not in entries:
        raise UsageError(
            f"stack {stack} has no release {wanted or 'yet'}",
            where=f"the backend {backend_place(os.environ)}",
            mend=f"known: {', '.join(entries) or 'none'}",
        )
    entry = entries[wanted]
    emit(entry, as_json=as_json, text=lambda: console().print_json(data=entry))
