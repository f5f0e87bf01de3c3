"""Text of unknown origin inside Markdown: it can neither end its block nor mention anybody."""

from __future__ import annotations

import re

LONGEST = 60_000
"""GitHub refuses a comment beyond 65,536 characters."""


def fenced(text: str, language: str = "") -> str:
    """Return `text` as a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shortened(text)}\n{fence}"


def shortened(text: str) -> str:
    """Return `text`, cut with a remark where it is too long for a comment."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n… {len(text) - LONGEST} more characters"
