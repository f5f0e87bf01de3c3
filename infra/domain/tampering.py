"""What was done to a history: compared with the anchors that its releases left in the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from infra.domain.chain import chain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.domain.anchor import Anchor
    from infra.domain.chain import Evidence

Finding = Literal["changed", "removed", "reordered", "invented"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as it was: what happened to which entry, and where."""

    finding: Finding
    entry: str
    text: str
    where: str = "backend"

    def __str__(self) -> str:
        """Return it as people read it."""
        return f"{self.finding}: {self.text}"


def tampering(present: Sequence[Evidence], anchors: Sequence[Anchor]) -> list[Problem]:
    """Return how the history differs from what the anchors, the oldest first, say of it."""
    segment, moved = _current_segment(anchors)
    if not segment:
        return moved
    before, expected = _named(segment)
    first = expected[0].id if expected else ""
    earlier = [item for item in present if expected and item.id < first]
    found = [*moved, *_earlier(earlier, before, first), *_compared(present, expected)]
    covered = [anchor for anchor in segment if anchor.count >= before]
    return found + list(_heads(covered, before, earlier, expected, is_whole=not found))


def unanchored(present: Sequence[Evidence], anchors: Sequence[Anchor]) -> list[str]:
    """Return the updates since the last anchor, which the next release anchors."""
    last = next((anchor.last for anchor in reversed(anchors) if anchor.last), "")
    return [item.id for item in present if item.id > last]


def _current_segment(anchors: Sequence[Anchor]) -> tuple[list[Anchor], list[Problem]]:
    """Return the anchors since the chain began anew for the last time, and every beginning that no move explains."""
    segment: list[Anchor] = []
    found: list[Problem] = []
    for anchor in anchors:
        if anchor.restart:
            segment = []
            if anchor.restart.get("backend") == anchor.backend:
                last, count = str(anchor.restart.get("last")), anchor.restart.get("count")
                text = f"{last} was gone from the history when {anchor.release} was released (it ended {count} updates)"
                found.append(Problem(finding="removed", entry=last, text=text))
        segment.append(anchor)
    return segment, found


def _named(segment: Sequence[Anchor]) -> tuple[int, list[Evidence]]:
    """Return the updates that the anchors name, in order, and how many are before them.

    An anchor names those since the one before; the first one of a stack that was made anew names all again. Where one
    names too few to reach the one before it, what counts is behind the gap.
    """
    places: dict[int, Evidence] = {}
    for anchor in segment:
        begin = anchor.count - len(anchor.entries)
        for index, item in enumerate(anchor.entries):
            places.setdefault(begin + index, item)
    run: list[int] = []
    for place in sorted(places):
        if run and place != run[-1] + 1:
            run = []
        run.append(place)
    return (run[0], [places[place] for place in run]) if run else (0, [])


def _earlier(earlier: Sequence[Evidence], count: int, first: str) -> Iterator[Problem]:
    """Yield whether there are other updates than `count` before the first one that is known by name."""
    if len(earlier) < count:
        text = f"{count - len(earlier)} of the {count} updates before {first}; the anchors there are do not name them"
        yield Problem(finding="removed", entry=first, text=text)
    if len(earlier) > count:
        text = f"{len(earlier) - count} of the {len(earlier)} updates before {first}; the first is {earlier[0].id}"
        yield Problem(finding="invented", entry=earlier[0].id, text=text)


def _compared(present: Sequence[Evidence], expected: Sequence[Evidence]) -> Iterator[Problem]:
    """Yield every difference between the updates that are there and those that are anchored."""
    there = {item.id: item for item in present}
    by_content = {(item.document, item.checkpoint): item.id for item in expected}
    named: set[str] = set()
    for item in expected:
        now = there.get(item.id)
        if now is None:
            yield Problem(finding="removed", entry=item.id, text=f"{item.id} is not in the history any more")
        elif now != item and item.id not in named:
            other = by_content.get((now.document, now.checkpoint))
            named |= {item.id, other or ""}
            yield _exchanged(item, other) if other else _changed(item, now)
    known = {item.id for item in expected}
    for item in present:
        if expected and expected[0].id < item.id < expected[-1].id and item.id not in known:
            yield Problem(finding="invented", entry=item.id, text=f"{item.id} was never part of the history")


def _exchanged(item: Evidence, other: str) -> Problem:
    return Problem(finding="reordered", entry=item.id, text=f"{item.id} has the content of {other}")


def _changed(item: Evidence, now: Evidence) -> Problem:
    parts = [name for name in ("document", "checkpoint") if getattr(item, name) != getattr(now, name)]
    gone = [name for name in parts if not getattr(now, name)]
    what = " and ".join(f"its {name} {'is gone' if name in gone else 'is another one'}" for name in parts)
    return Problem(finding="changed", entry=item.id, text=f"{item.id}: {what}")


def _heads(
    segment: Sequence[Anchor],
    before: int,
    earlier: Sequence[Evidence],
    expected: Sequence[Evidence],
    *,
    is_whole: bool,
) -> Iterator[Problem]:
    """Yield every anchor whose head is not the hash of what it says it covers."""
    if before and not is_whole:
        return  # the chain cannot be computed over updates that are not there as they were
    links = chain([*earlier, *expected])
    for anchor in segment:
        head = links[anchor.count - 1].hash if 0 < anchor.count <= len(links) else ""
        if head == anchor.head:
            continue
        if before and anchor is segment[0]:
            text = f"one of the {before} updates before {expected[0].id}, which the anchors do not name"
            yield Problem(finding="changed", entry=expected[0].id, text=text)
            return
        text = f"the anchor of {anchor.release} ({anchor.run_id}) does not fit the updates it names"
        yield Problem(finding="changed", entry=anchor.release, text=text, where="record")
