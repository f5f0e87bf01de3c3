"""`acp-release check`: every check of the stack, of the release that serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infra.checks.occasion import BY_HAND
from infra.cli.options import json_option, stack_option
from infra.cli.verdict import junit_option, release_option, run_occasion

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog="Example: acp-release check --stack production --junit checks.xml")
@stack_option
@release_option
@json_option
@junit_option
def check(stack: str, release: str | None, junit: Path | None, *, as_json: bool) -> None:
    """Ask every host and service all of `checks.suite`, and name what is at fault. Exit code 50 when one fails."""
    run_occasion(stack, BY_HAND, release=release, title="checks", as_json=as_json, junit=junit)
