"""`python -m tests.faults`: the fault matrix; exit status 1 if any row fails, 2 for a row that does not exist."""

from __future__ import annotations

import fnmatch
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape

from infra.errors import ReleaseError
from tests.faults.matrix import all_rows, chains
from tests.faults.report import as_json, as_table
from tests.faults.side_by_side import fitting_worlds, open_stages
from tests.support.world import MOST_WORLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.row import Result, Row

progress = Console(stderr=True, highlight=False, soft_wrap=True)


@click.command(epilog="Example: python -m tests.faults --only 'driver killed*'")
@click.option("--only", multiple=True, metavar="NAME", help="Run only rows whose name matches; `*` is a wildcard.")
@click.option("--subset", is_flag=True, help="Run the rows that `make test` runs.")
@click.option(
    "--worlds",
    type=click.IntRange(1, MOST_WORLDS),
    default=fitting_worlds,
    show_default="as many as the processors are enough for",
    help="Labs to run rows in at a time.",
)
@click.option("--list", "is_list", is_flag=True, help="List the rows and do nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print the results as JSON on standard output.")
def main(*, only: Sequence[str], subset: bool, worlds: int, is_list: bool, is_json: bool) -> None:
    """Break things while releases are made, under constant traffic, and say what came of it."""
    rows = choose(all_rows(), only=only, subset=subset)
    if not rows:
        raise click.UsageError(f"no row matches {', '.join(only)}")
    if is_list:
        click.echo("\n".join(row.name for row in rows))
        return
    try:
        results = run(rows, worlds=worlds)
    except ReleaseError as error:
        raise click.ClickException(str(error)) from None
    if is_json:
        click.echo(as_json(results))
    else:
        Console().print(as_table(results))
    sys.exit(0 if all(result.passed for result in results) else 1)


def choose(rows: Sequence[Row], *, only: Sequence[str] = (), subset: bool = False) -> list[Row]:
    """Return the rows that are asked for."""
    chosen = [row for row in rows if row.in_subset or not subset]
    return [row for row in chosen if not only or any(fnmatch.fnmatch(row.name, pattern) for pattern in only)]


def run(rows: Sequence[Row], *, worlds: int) -> list[Result]:
    """Run `rows` in `worlds` at a time, and say on standard error how each went."""
    ordered = chains(rows)
    results: list[Result] = []
    with open_stages(min(worlds, len(ordered))) as run_next:
        for result in run_next([[row.name for row in chain] for chain in ordered]):
            results.append(result)
            _say(result)
    return results


def _say(result: Result) -> None:
    word = "ok    " if result.passed else "FAILED"
    progress.print(f"{word} {result.seconds:5.0f} s  lost {result.lost}  {result.name}: {escape(result.seen)}")
    for problem in result.problems:
        progress.print(f"         ! {escape(problem)}")


if __name__ == "__main__":
    main()
