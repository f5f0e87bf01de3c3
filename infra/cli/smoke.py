"""`acp-release smoke`: a user's path through the release that serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infra.checks.occasion import SMOKE_BY_HAND
from infra.cli.options import json_option, stack_option
from infra.cli.verdict import junit_option, release_option, run_occasion

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog="Example: acp-release smoke --stack staging")
@stack_option
@release_option
@json_option
@junit_option
def smoke(stack: str, release: str | None, junit: Path | None, *, as_json: bool) -> None:
    """Paste a document, find it, let the agents answer, and clean up, on every host. Exit code 50 when that fails."""
    run_occasion(stack, SMOKE_BY_HAND, release=release, title="smoke", as_json=as_json, junit=junit)
