"""The fault matrix as a table for people and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.row import Result


def as_table(results: Sequence[Result]) -> Table:
    """Return one line per row; a failed one says why below its `seen`."""
    table = Table(title="Faults", show_lines=True)
    for heading in ("fault", "expected", "seen"):
        table.add_column(heading, overflow="fold")
    for heading in ("lost", "in down time", "of", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for result in results:
        seen = "\n".join([result.seen, *(f"! {problem}" for problem in result.problems)])
        table.add_row(
            result.name,
            result.expected,
            seen,
            str(result.lost),
            str(result.lost_in_downtime),
            str(result.sent),
            f"{result.seconds:.0f}",
            "ok" if result.passed else "FAILED",
        )
    return table


def as_json(results: Sequence[Result]) -> str:
    """Return `{"rows": […], "passed": n, "failed": n, "seconds": s}`."""
    document = {
        "rows": [result.to_json() for result in results],
        "passed": sum(result.passed for result in results),
        "failed": sum(not result.passed for result in results),
        "seconds": round(sum(result.seconds for result in results), 1),
    }
    return json.dumps(document, indent=2)
