"""Every row of the matrix, in the order in which they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import candidates, deployers, group, killed, machines, rollbacks, surroundings

if TYPE_CHECKING:
    from tests.faults.row import Row


def all_rows() -> list[Row]:
    """Return every row."""
    parts = (
        candidates.ROWS,
        surroundings.ROWS,
        deployers.ROWS,
        killed.ROWS,
        rollbacks.ROWS,
        machines.ROWS,
        group.ROWS,
    )
    return [row for part in parts for row in part]
