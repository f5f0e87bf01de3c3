"""Tables for people, in which no cell is cut: what stands in one is typed again, or looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

CELL_BORDER = 3
TABLE_BORDER = 1


def print_rows(screen: Console, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, or a block of lines per row where its words have no room beside each other.

    Cells are shown as they are: nothing in them is markup. What room is left goes to the first columns that want it.
    """
    columns = list(zip(headers, *rows, strict=True))
    least = [max(cell_len(word) for cell in column for word in (cell.split() or [""])) for column in columns]
    room = screen.width - sum(least) - CELL_BORDER * len(columns) - TABLE_BORDER
    if room < 0:
        _print_blocks(screen, headers, rows)
        return
    table = Table()
    for column, width in zip(columns, least, strict=True):
        wanted = max(cell_len(line) for cell in column for line in (cell.splitlines() or [""])) - width
        extra = min(room, wanted)
        room -= extra
        table.add_column(column[0], width=width + extra, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    screen.print(table, soft_wrap=False)


def _print_blocks(screen: Console, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print each row as lines of header and cell, as long as they are."""
    width = max(map(cell_len, headers))
    for row in rows:
        for header, cell in zip(headers, row, strict=True):
            screen.print(Text(f"{header:<{width}}  {cell}"))
        screen.print()
