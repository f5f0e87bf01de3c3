"""Options that every command has, and how results and errors leave the program."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from infra.errors import ReleaseError
from infra.paths import PROJECT_ROOT
from infra.settings import load_stack_file, one_update_overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.settings import Settings

PIPE_WIDTH = 200
JSON_ERRORS = "infra.cli.json_errors"

stack_option = click.option(
    "--stack", "-s", required=True, metavar="STACK", help="Stack: local, staging, production, …"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts instead of text.")


def console(*, stderr: bool = False) -> Console:
    """Return the console that results go to; in a pipe or a CI log it is wide, so that no cell is cut."""
    return Console(highlight=False, soft_wrap=True, stderr=stderr, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def load(stack: str) -> Settings:
    """Return the validated settings of a stack."""
    return load_stack_file(stack, PROJECT_ROOT)


def load_wanted(stack: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a stack with what the environment asks of this update alone (`ACP_IMAGE_TAG`, …)."""
    return load_stack_file(stack, PROJECT_ROOT, one_update_overrides(environ))


def emit(document: Any, *, as_json: bool, text: Callable[[], object]) -> None:
    """Print `document` as JSON, or call `text` to print it for people."""
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        text()


class ErrorGroup(click.Group):
    """A group whose commands end with the error's message and exit code, never with a traceback."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether errors are wanted as JSON, whichever command it stands at."""
        ctx.meta[JSON_ERRORS] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the command; with `--json` an error is JSON on standard output."""
        try:
            return super().invoke(ctx)
        except ReleaseError as error:
            if ctx.meta[JSON_ERRORS]:
                click.echo(json.dumps(error.to_json(), indent=2))
            else:
                click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
