"""Every row of the matrix, in the order in which they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import candidates, deployers, group, killed, machines, rollbacks, surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def chains(rows: Sequence[Row]) -> list[tuple[Row, ...]]:
    """Return `rows` in the order to run them, those with more hosts last, with those together that save a release.

    Behind a row that wants a good release after it comes one that shows such a release anyway, where there is one.
    """
    found: list[tuple[Row, ...]] = []
    for hosts in sorted({row.hosts for row in rows}):
        here = [row for row in rows if row.hosts == hosts]
        showing = [row for row in here if row.shows_release]
        for row in here:
            if row.shows_release:
                continue
            found.append((row, showing.pop(0)) if row.follow and showing else (row,))
        found += [(row,) for row in showing]
    return found
