"""Run the lab commands without the rest of the program: `python -m infra.lab up`."""

from __future__ import annotations

import sys

import click

from infra.errors import ReleaseError
from infra.lab.cli import lab


def main() -> int:
    """Run the command line and return its exit code; errors are messages, never tracebacks."""
    try:
        lab.main(prog_name="python -m infra.lab", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("Aborted.", err=True)
        return 130
    except ReleaseError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
