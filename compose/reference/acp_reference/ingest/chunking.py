"""Cuts a text into overlapping chunks at word borders."""

from __future__ import annotations

from typing import Final

CHUNK_CHARACTERS: Final = 800
OVERLAP_CHARACTERS: Final = 120


def split_into_chunks(text: str, *, size: int = CHUNK_CHARACTERS, overlap: int = OVERLAP_CHARACTERS) -> tuple[str, ...]:
    """Give chunks of at most `size` characters, each repeating about `overlap` of the one before.

    A longer word is cut. Runs of white space become one blank; a text without words gives no chunks.
    """
    if not 0 <= overlap < size:
        message = f"overlap must be from 0 to below the size {size} (got {overlap})"
        raise ValueError(message)
    rest = " ".join(text.split())
    chunks = []
    while len(rest) > size:
        end = _last_blank(rest, size) or size
        chunks.append(rest[:end])
        start = max(end - overlap, 1)
        # Begin the next chunk at a word, but never where the one before began.
        blank = rest.find(" ", start, end)
        rest = rest[blank + 1 if blank != -1 else end :].lstrip()
    if rest:
        chunks.append(rest)
    return tuple(chunks)


def _last_blank(text: str, limit: int) -> int:
    """Give the place of the last blank at or before `limit`, 0 if there is none after the start."""
    return max(text.rfind(" ", 1, limit + 1), 0)
