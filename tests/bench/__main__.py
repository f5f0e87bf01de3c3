"""`python -m tests.bench`: one JSON line per figure on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infra.errors import ReleaseError
from tests.bench import history, loss, raw_compose, reverts, rollback, setup
from tests.faults.stage import Stage
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = {
    "setup": setup.measure,
    "loss": loss.measure,
    "reverts": reverts.measure,
    "rollback": rollback.measure,
    "history": history.measure,
    "compose": raw_compose.measure,
}


@click.command(epilog="Example: python -m tests.bench --only reverts")
@click.option("--only", multiple=True, type=click.Choice(list(GROUPS)), help="Measure only this group of figures.")
def main(*, only: Sequence[str]) -> None:
    """Measure releases in a lab of their own and print one JSON line per figure."""
    try:
        _measure(only or list(GROUPS))
    except (ReleaseError, AssertionError) as error:
        raise click.ClickException(str(error)) from None


def _measure(names: Sequence[str]) -> None:
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
