from __future__ import annotations

import io

import pytest
from rich.console import Console

from infra.cli.tables import print_rows

HEADERS = ("when (UTC)", "release", "who", "verdicts")
ROW = ("2026-11-05 09:00:00", "v1.4.2-17-g1a2b3c4d5e6f-1a2b3c4d", "dependabot[bot]", "checks 8/8, scans 3/3, " * 4)


def shown(width: int) -> str:
    """Return what a screen of `width` columns shows of the row."""
    screen = Console(file=io.StringIO(), soft_wrap=True, width=width)
    print_rows(screen, HEADERS, [ROW])
    text: str = screen.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_what_is_typed_again_is_never_cut(width: int) -> None:
    """Ids, names with brackets and every word of a text, however narrow the screen is."""
    text = shown(width)
    assert "…" not in text
    assert {word for cell in ROW for word in cell.split()} <= set(text.replace("│", " ").split())


def test_a_table_is_not_wider_than_the_screen() -> None:
    """Its words have room in 100 columns; a date stands on one line as the first columns get what is left."""
    lines = shown(100).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("2026-11-05 09:00:00" in line for line in lines)


def test_a_narrow_screen_has_a_block_per_row() -> None:
    """Each cell is one line behind its header, to be copied whole."""
    assert f"verdicts    {ROW[3]}\n" in shown(60)


def test_no_rows_are_a_table_of_headers() -> None:
    """Nothing happened yet."""
    screen = Console(file=io.StringIO(), width=80)
    print_rows(screen, HEADERS, [])
    assert "release" in screen.file.getvalue()  # type: ignore[attr-defined]
