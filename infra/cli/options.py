"""Options that every command has, and how results and errors leave the program."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console

from infra.errors import ReleaseError, ToolError
from infra.paths import PROJECT_ROOT
from infra.settings import load_stack_file, one_update_overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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


def say_asking(hosts: Iterable[str]) -> None:
    """Say on standard error which hosts are waited for: one that hangs makes half a minute of silence."""
    click.echo(f"asking {', '.join(hosts)} …", err=True)


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
        """Invoke the command; with `--json` an error is JSON on standard output.

        A file that cannot be read or written is an error too; a reader that closed its pipe is none.
        """
        try:
            return super().invoke(ctx)
        except ReleaseError as error:
            _leave(ctx, error)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            _leave(ctx, _of_system(error))


def _of_system(error: OSError) -> ReleaseError:
    """Return what the system refused, with the path where it names one."""
    reason = error.strerror or str(error) or type(error).__name__
    return ToolError(f"the system refuses: {reason}", where=str(error.filename or ""))


def _leave(ctx: click.Context, error: ReleaseError) -> NoReturn:
    """Show an error and leave with its code; standard error has it where standard output takes nothing more."""
    if ctx.meta[JSON_ERRORS]:
        text = json.dumps(error.to_json(), indent=2)
        try:
            click.echo(text)
        except OSError:
            click.echo(text, err=True)
    else:
        click.echo(f"error: {error}", err=True)
    ctx.exit(error.exit_code)
