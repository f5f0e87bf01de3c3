"""`python -m tests.mutants`: break each check in every way; exit status 1 if no test notices one of them."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.paths import PROJECT_ROOT
from tests.mutants.operators import Mutant, mutants_of
from tests.mutants.subjects import EQUIVALENT, SUBJECTS
from tests.mutants.workshop import Outcome, opened, try_all

if TYPE_CHECKING:
    from collections.abc import Sequence

progress = Console(stderr=True, highlight=False, soft_wrap=True)
SAID_EVERY = 50
WORKERS_PER_PROCESSOR = 8
"""Most of the time a test of a check waits for an answer that does not come."""


@click.command(epilog="Example: python -m tests.mutants --only disk_space")
@click.option("--only", multiple=True, metavar="NAME", help="Break only modules with this in their path.")
@click.option("--workers", type=click.IntRange(1), help="Mutants to try at a time.  [default: eight per processor]")
@click.option("--list", "is_list", is_flag=True, help="List the mutants and do nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print the results as JSON on standard output.")
def main(*, only: Sequence[str], workers: int | None, is_list: bool, is_json: bool) -> None:
    """Flip, remove and weaken every comparison of the checks, one at a time, and run the tests of that check."""
    chosen = [module for module in SUBJECTS if not only or any(part in module for part in only)]
    if not chosen:
        raise click.UsageError(f"no module matches {', '.join(only)}; there are: {', '.join(SUBJECTS)}")
    mutants = [mutant for module in chosen for mutant in worth_trying(module)]
    if is_list:
        click.echo("\n".join(map(str, mutants)))
        return
    outcomes = run(mutants, workers or WORKERS_PER_PROCESSOR * (os.cpu_count() or 1))
    survivors = [outcome.mutant for outcome in outcomes if not outcome.noticed_by]
    if is_json:
        click.echo(json.dumps([as_json(outcome) for outcome in outcomes], indent=2))
    else:
        Console().print(as_table(outcomes))
    sys.exit(1 if survivors else 0)


def worth_trying(module: str) -> list[Mutant]:
    """Return the mutants of a module that are not known to do the same as it."""
    found = mutants_of(module, (PROJECT_ROOT / module).read_text(encoding="utf-8"))
    return [mutant for mutant in found if f"{module}: {mutant.before}" not in EQUIVALENT]


def run(mutants: Sequence[Mutant], workers: int) -> list[Outcome]:
    """Try mutants and say on standard error which nobody noticed; the unbroken tests must pass first."""
    outcomes: list[Outcome] = []
    with opened(workers) as benches, progress.status("the tests as they are") as status:
        tests = list(dict.fromkeys(test for mutant in mutants for test in SUBJECTS[mutant.module]))
        bench = benches.get()
        failed = bench.run(tests)
        benches.put(bench)
        if failed:
            raise click.ClickException(f"{failed} fails on its own: mend it first")
        for outcome in try_all(benches, [(mutant, SUBJECTS[mutant.module]) for mutant in mutants], workers=workers):
            outcomes.append(outcome)
            status.update(f"{len(outcomes)} of {len(mutants)} mutants: {outcome.mutant.module}")
            if len(outcomes) % SAID_EVERY == 0:
                progress.print(f"{len(outcomes)} of {len(mutants)} mutants")
            if not outcome.noticed_by:
                progress.print(f"nobody noticed {escape(str(outcome.mutant))}")
    return outcomes


def as_json(outcome: Outcome) -> dict[str, object]:
    """Return an outcome for scripts."""
    mutant = outcome.mutant
    return {
        "module": mutant.module,
        "line": mutant.line,
        "before": mutant.before,
        "after": mutant.after,
        "noticed_by": outcome.noticed_by or None,
        "seconds": round(outcome.seconds, 1),
    }


def as_table(outcomes: Sequence[Outcome]) -> Table:
    """Return one line per module."""
    made = Counter(outcome.mutant.module for outcome in outcomes)
    noticed = Counter(outcome.mutant.module for outcome in outcomes if outcome.noticed_by)
    table = Table("module", "mutants", "noticed")
    for module, count in made.items():
        table.add_row(module, str(count), str(noticed[module]))
    table.add_section()
    table.add_row("all", str(made.total()), str(noticed.total()))
    return table


if __name__ == "__main__":
    main()
