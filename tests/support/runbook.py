"""The shell blocks of docs/runbook.md, each with the mark that says how a test runs it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADING = re.compile(r"^## (.+)$")
MARK = re.compile(r"^<!-- run(?:: (.+?))? -->$")
FENCE = "```"
EXITS = "exits "
LONG = "long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: where it stands, what comes before it, with which status its last command ends."""

    section: str
    number: int
    text: str
    scene: str = ""
    exits: int = 0
    is_long: bool = False

    @property
    def title(self) -> str:
        """Return a name for the block in a test report."""
        return f"{self.number:02} {self.section}"


def read_blocks(markdown: str) -> list[Block]:
    """Return every shell block; raise `AssertionError` for one without a mark."""
    section, mark, blocks = "", None, []
    lines = iter(markdown.splitlines())
    for line in lines:
        heading, found = HEADING.match(line), MARK.match(line)
        if heading:
            section = heading.group(1)
        elif found:
            mark = found.group(1) or ""
        elif line == f"{FENCE}sh":
            assert mark is not None, f"a block under {section!r} does not say how it is run"
            blocks.append(_block(section, len(blocks) + 1, mark, "\n".join(_until_fence(lines))))
            mark = None
    return blocks


def _until_fence(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == FENCE:
            return
        yield line


def _block(section: str, number: int, mark: str, text: str) -> Block:
    """Return a block from a mark such as `long, after a lost host; exits 20`."""
    first, _, exits = mark.partition("; ")
    parts = [part for part in first.split(", ") if part]
    return Block(
        section=section,
        number=number,
        text=text,
        scene=next((part for part in parts if part != LONG), ""),
        exits=int(exits.removeprefix(EXITS) or 0),
        is_long=LONG in parts,
    )
