"""The rows of the fault matrix that `make test` runs; `make faults` runs all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.__main__ import choose
from tests.faults.matrix import all_rows
from tests.faults.runner import run_row
from tests.faults.stage import Stage
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.row import Row

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Return a stage with one host, mended before and after."""
    world = World.second()
    with world.claimed():
        world.environment.clear()
        stage = Stage.prepared(world)
        yield stage
        stage.mend()


@pytest.mark.parametrize("row", choose(all_rows(), subset=True), ids=lambda row: row.name)
def test_a_fault_leaves_one_release_serving_and_loses_nothing(stage: Stage, row: Row) -> None:
    """Under constant traffic a fault ends as expected, host and record agree, and a good release succeeds after it."""
    result = run_row(stage, row)
    assert result.passed, "\n".join(result.problems)
