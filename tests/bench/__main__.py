"""`python -m tests.bench`: one JSON line per figure on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infra.errors import ReleaseError
from tests.bench import canary, growth, history, kamal, loss, raw_compose, regression, reverts, rollback, setup
from tests.faults.stage import Stage
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

ALONE = {"regression": regression.measure, "history": history.measure}
"""Groups that need no lab."""
GROUPS = {
    "setup": setup.measure,
    "loss": loss.measure,
    "canary": canary.measure,
    "reverts": reverts.measure,
    "rollback": rollback.measure,
    "compose": raw_compose.measure,
    "kamal": kamal.measure,
    "growth": growth.measure,
}


@click.command(epilog="Example: python -m tests.bench --only reverts")
@click.option("--only", multiple=True, type=click.Choice([*ALONE, *GROUPS]), help="Measure only this group of figures.")
def main(*, only: Sequence[str]) -> None:
    """Measure releases in a lab of their own and print one JSON line per figure."""
    chosen = only or [*ALONE, *GROUPS]
    try:
        _measure_alone([name for name in chosen if name in ALONE])
        _measure([name for name in chosen if name in GROUPS])
    except (ReleaseError, AssertionError) as error:
        raise click.ClickException(str(error)) from None


def _measure_alone(names: Sequence[str]) -> None:
    for name in names:
        for figure in ALONE[name]():
            click.echo(figure.to_line())


def _measure(names: Sequence[str]) -> None:
    if not names:
        return
    world = World.default()
    with world.claimed():
        world.prepare(hosts=1)
        stage = Stage(world)
        stage.mend()
        for name in names:
            for figure in GROUPS[name](stage):
                click.echo(figure.to_line())


if __name__ == "__main__":
    main()
