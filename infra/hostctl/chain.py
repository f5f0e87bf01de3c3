"""The journal's chain: each entry has a number and the hash of itself together with the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HASH = "hash"
NUMBER = "seq"


@dataclass(frozen=True)
class Position:
    """A place in the journal: the number of an entry and its hash, empty before the first one."""

    seq: int
    hash: str


def link(entry: dict[str, Any], before: Position) -> dict[str, Any]:
    """Return the entry with its number and hash, behind `before`."""
    numbered = {**entry, NUMBER: before.seq + 1}
    return {**numbered, HASH: entry_hash(numbered, before.hash)}


def entry_hash(entry: dict[str, Any], previous: str) -> str:
    """Return the SHA-256 of an entry as canonical JSON, its own hash left out, and of the hash before it."""
    content = {name: value for name, value in entry.items() if name != HASH}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256((text + previous).encode()).hexdigest()


def last_position(entries: Sequence[dict[str, Any]]) -> Position:
    """Return the place of the last entry."""
    if not entries:
        return Position(0, "")
    last = entries[-1]
    return Position(_number(last), str(last.get(HASH, "")))


def problems(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield in words where the chain is broken: an entry that was changed, removed, moved or put in.

    Entries that an older hostctl wrote have no hash; the first one with a hash is taken as it is unless it is number 1.
    """
    before: Position | None = None
    for entry in entries:
        here = Position(_number(entry), str(entry.get(HASH, "")))
        if not here.hash:
            if before is not None:
                yield f"entry {here.seq} ({_what(entry)}) has no hash: it was put in"
            continue
        expected = Position(0, "") if before is None and here.seq == 1 else before
        if expected is not None:
            yield from _broken(entry, here, expected)
        before = here


def _broken(entry: dict[str, Any], here: Position, before: Position) -> Iterator[str]:
    """Yield what is wrong between an entry and the one before."""
    if here.seq > before.seq + 1:
        missing = f"{before.seq + 1}" if here.seq == before.seq + 2 else f"{before.seq + 1} to {here.seq - 1}"
        yield f"before entry {here.seq} ({_what(entry)}) there is no entry {missing}: removed"
    elif here.seq <= before.seq:
        yield f"entry {here.seq} ({_what(entry)}) comes after entry {before.seq}: moved or put in"
    elif entry_hash(entry, before.hash) != here.hash:
        yield f"entry {here.seq} ({_what(entry)}) or the one before it was changed"


def _number(entry: dict[str, Any]) -> int:
    value = entry.get(NUMBER, 0)
    return value if isinstance(value, int) else 0


def _what(entry: dict[str, Any]) -> str:
    return " ".join(str(entry[name]) for name in ("at", "phase", "step", "release") if entry.get(name))
