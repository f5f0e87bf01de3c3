"""Every row of the matrix, in the order in which they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import candidates, deployers, group, killed, machines, rollbacks, surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.row import Row


TOGETHER = 2
"""Faults between two good releases: with more of them, one that did harm would be hard to tell from the others."""


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

    `TOGETHER` rows that want a good release after them share it. Where a row is left that shows such a release anyway,
    it comes behind them.
    """
    found: list[tuple[Row, ...]] = []
    for hosts in sorted({row.hosts for row in rows}):
        here = [row for row in rows if row.hosts == hosts]
        showing = [row for row in here if row.shows_release]
        wanting = [row for row in here if row.follow and not row.shows_release]
        for first in range(0, len(wanting), TOGETHER):
            chain = wanting[first : first + TOGETHER]
            found.append((*chain, showing.pop(0)) if showing else tuple(chain))
        found += [(row,) for row in here if not (row.follow or row.shows_release)]
        found += [(row,) for row in showing]
    return found
