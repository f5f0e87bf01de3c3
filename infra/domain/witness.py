"""What the hosts witness: their journals against the record, which can each be changed without the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.domain.anchor import Anchor
from infra.domain.chain import intent_of
from infra.domain.tampering import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A host's journal: where it begins, what is wrong in its own chain, its commits, and its hash at some places.

    `installed_at` is when the host was set up, if the journal begins with that.
    """

    host: str
    first: int
    is_rotated: bool
    installed_at: str = ""
    problems: tuple[str, ...] = ()
    anchors: tuple[Mapping[str, Any], ...] = ()
    positions: Mapping[int, str] = field(default_factory=dict)


def witnessed(
    witness: Witness, entries: Sequence[Mapping[str, Any]], excused: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Problem]:
    """Yield how a host's journal and the recorded releases disagree.

    `excused` are commits that a failed update took back, which are in no record.
    """
    for text in witness.problems:
        yield Problem(
            finding="changed", entry=witness.host, text=f"journal of {witness.host}: {text}", where=witness.host
        )
    if witness.first > 1 and not witness.is_rotated:
        text = f"journal of {witness.host}: the first {witness.first - 1} entries"
        yield Problem(finding="removed", entry=witness.host, text=text, where=witness.host)
    committed = {(str(row.get("release")), str(row["anchor"].get("run_id"))): row for row in witness.anchors}
    for entry in entries:
        yield from _entry(witness, entry, committed)
    known = {str(entry["release"]) for entry in entries}
    for row in witness.anchors:
        if row.get("release") not in known and row not in excused:
            text = f"{row.get('release')}, which {witness.host} committed at {row.get('at')}, is in no record"
            yield Problem(finding="removed", entry=str(row.get("release")), text=text, where="record")


def is_before(witness: Witness, entry: Mapping[str, Any]) -> bool:
    """Return whether a release was over before the host was set up, as its journal says."""
    ended = str(entry.get("ended_at") or "")
    if not witness.installed_at or not ended:
        return False
    return datetime.fromisoformat(ended) < datetime.fromisoformat(witness.installed_at)


def _entry(
    witness: Witness, entry: Mapping[str, Any], committed: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[Problem]:
    """Yield how one recorded release differs from what the host committed."""
    anchor = Anchor.from_entry(entry)
    if anchor is None:
        return
    name = f"{anchor.release} ({anchor.run_id})"
    if intent_of(entry) != anchor.intent:
        text = f"the record of {name}: not the release, author or document that was anchored"
        yield Problem(finding="changed", entry=anchor.release, text=text, where="record")
    place = anchor.hosts.get(witness.host)
    if place is None:
        return
    seq, row = int(place["seq"]), committed.get((anchor.release, anchor.run_id))
    if seq < witness.first or is_before(witness, entry):
        return  # so old that the host's journal has been rotated away, or the host was not there yet
    if row is None:
        text = f"journal of {witness.host}: the commit of {name}"
        yield Problem(finding="removed", entry=witness.host, text=text, where=witness.host)
    elif any(row["anchor"].get(key) != getattr(anchor, key) for key in ("count", "head", "intent")):
        text = f"{name}: the record and the journal of {witness.host} have different anchors"
        yield Problem(finding="changed", entry=anchor.release, text=text, where="record")
    if witness.positions.get(seq) != place["hash"]:
        text = f"journal of {witness.host}: something up to entry {seq}, the commit of {name}; the record has its hash"
        yield Problem(finding="changed", entry=witness.host, text=text, where=witness.host)
