"""What the hosts witness: their journals against the record, which can each be changed without the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.domain.anchor import Anchor
from infra.domain.chain import intent_of
from infra.domain.ledger import HISTORY_LENGTH
from infra.domain.tampering import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Key = tuple[str, str]
    Recorded = Mapping[Key, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A run that came to a host to release something: the number of its lease in the host's journal."""

    seq: int
    release: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A host's journal: where it begins, what is wrong in its own chain, its commits, and its hash at some places.

    `installed_at` is when the host was set up, if the journal begins with that. `visits` are the runs that came.
    """

    host: str
    first: int
    is_rotated: bool
    installed_at: str = ""
    problems: tuple[str, ...] = ()
    anchors: tuple[Mapping[str, Any], ...] = ()
    visits: tuple[Visit, ...] = ()
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
    recorded: dict[Key, list[Mapping[str, Any]]] = {}
    for entry in entries:
        recorded.setdefault(_recorded_key(entry), []).append(entry)
        yield from _entry(witness, entry)
    oldest = _oldest_recorded(witness, recorded) if len(entries) >= HISTORY_LENGTH else 0
    for row in witness.anchors:
        if _number(row) >= oldest:
            yield from _commit(witness, row, recorded, excused)


def is_before(witness: Witness, entry: Mapping[str, Any]) -> bool:
    """Return whether a release was over before the host was set up, as its journal says."""
    ended = str(entry.get("ended_at") or "")
    if not witness.installed_at or not ended:
        return False
    return datetime.fromisoformat(ended) < datetime.fromisoformat(witness.installed_at)


def _entry(witness: Witness, entry: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong in one recorded release by itself, and in the journal at the place that it names."""
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
    seq = int(place["seq"])
    if seq < witness.first or is_before(witness, entry):
        return  # so old that the host's journal has been rotated away, or the host was not there yet
    if witness.positions.get(seq) == place["hash"]:
        return  # all before it is as it was: a commit that is not there now was rotated away
    if _recorded_key(entry) not in {_committed_key(row) for row in witness.anchors}:
        text = f"journal of {witness.host}: the commit of {name}"
        yield Problem(finding="removed", entry=witness.host, text=text, where=witness.host)
    text = f"journal of {witness.host}: something up to entry {seq}, the commit of {name}; the record has its hash"
    yield Problem(finding="changed", entry=witness.host, text=text, where=witness.host)


def _commit(
    witness: Witness, row: Mapping[str, Any], recorded: Recorded, excused: Sequence[Mapping[str, Any]]
) -> Iterator[Problem]:
    """Yield how the record differs from one commit in the host's journal, whatever the record says of the host."""
    release, run_id = _committed_key(row)
    anchors = [Anchor.from_entry(entry) for entry in recorded.get((release, run_id), ())]
    if any(anchor is not None and _is_same(anchor, row) for anchor in anchors) or _is_settled(witness, row, recorded):
        return
    name = f"{release} ({run_id})"
    if any(anchor is not None for anchor in anchors):
        text = f"{name}: the record and the journal of {witness.host} have different anchors"
        yield Problem(finding="changed", entry=release, text=text, where="record")
    elif anchors:
        text = f"the record of {name}: the anchor under which the hosts committed it is gone"
        yield Problem(finding="changed", entry=release, text=text, where="record")
    elif row not in excused:
        text = f"{name}, which {witness.host} committed at {row.get('at')}, is in no record"
        yield Problem(finding="removed", entry=release, text=text, where="record")


def _is_settled(witness: Witness, row: Mapping[str, Any], recorded: Recorded) -> bool:
    """Return whether a commit is of a run that was killed behind it, and the release was recorded by the next one.

    The next one came to the host before any other release was committed there. What the host itself has of that is
    asked, not the record's times: whoever can write to the backend can write those. A release that is recorded with
    the very run of the commit was settled only by that run, which was begun again.
    """
    release, run_id = _committed_key(row)
    seq = _number(row)
    others = (_number(other) for other in witness.anchors if other.get("release") != release)
    end = min((other for other in others if other > seq), default=math.inf)
    return any(
        seq < visit.seq < end
        and visit.release == release
        and (release, visit.run_id) in recorded
        and (visit.run_id == run_id or (release, run_id) not in recorded)
        for visit in witness.visits
    )


def _oldest_recorded(witness: Witness, recorded: Recorded) -> int:
    """Return the number of the first commit that is recorded: of those before it a full record has no room any more.

    They are in older checkpoints. Where these can be read they are recorded; where a stack was moved they are not.
    """
    return min((_number(row) for row in witness.anchors if _committed_key(row) in recorded), default=0)


def _is_same(anchor: Anchor, row: Mapping[str, Any]) -> bool:
    """Return whether a recorded anchor is the one that the host committed under."""
    return all(row["anchor"].get(key) == getattr(anchor, key) for key in ("count", "head", "intent"))


def _number(row: Mapping[str, Any]) -> int:
    return int(row.get("seq") or 0)


def _recorded_key(entry: Mapping[str, Any]) -> Key:
    return str(entry["release"]), str(entry.get("run_id"))


def _committed_key(row: Mapping[str, Any]) -> Key:
    return str(row.get("release")), str(row["anchor"].get("run_id"))
