"""What the pages say of one stack, ready to be laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.docs_pages.timeline import P99, Timeline, draw_timeline
from infra.docs_pages.words import UNKNOWN, at, duration, happened, sign, value_of
from infra.domain.four_keys import four_keys, seconds_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from infra.domain.four_keys import Key
    from infra.domain.history import Event

COMMIT_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event as a line of the history."""

    sign: str
    what: str
    failed: bool
    at: str
    release: str
    instead_of: str
    who: str
    source: str
    approver: str
    ci_run: str
    duration: str
    p99: str
    lost: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPage:
    """One stack: its state now (None with `problem` where it could not be read), its keys, its history."""

    stack: str
    state: Mapping[str, Any] | None
    problem: str
    keys: Sequence[Key]
    key_values: Sequence[tuple[str, str, int]]
    rows: Sequence[Row]
    timeline: Timeline


def make_page(
    stack: str, events: Sequence[Event], state: Mapping[str, Any] | None, *, now: datetime, problem: str = ""
) -> StackPage:
    """Return the page of a stack from its events (the newest first) and what `acp-release status` says of it."""
    keys = four_keys(events, now)
    return StackPage(
        stack=stack,
        state=state,
        problem=problem,
        keys=keys,
        key_values=[(key.name, value_of(key), key.of) for key in keys],
        rows=[make_row(event) for event in events],
        timeline=draw_timeline(events, len(state["differences"]) if state else None),
    )


def make_row(event: Event) -> Row:
    """Return an event as a line of the history."""
    p99, lost, sent = (event.figures.get(name) for name in (P99, "lost", "sent"))
    undone = f"took back {event.undoes}" if event.undoes else event.replaced
    source = " ".join(part for part in (event.source, event.branch, event.commit[:COMMIT_LENGTH]) if part)
    return Row(
        sign=sign(event),
        what=f"{happened(event)}{f' ({event.host})' if event.host else ''}",
        failed=event.outcome == "failed",
        at=at(event.ended_at or event.started_at),
        release=event.release or UNKNOWN,
        instead_of=undone or UNKNOWN,
        who=event.who or UNKNOWN,
        source=source or UNKNOWN,
        approver=event.approver,
        ci_run=event.ci_run,
        duration=duration(seconds_between(event.started_at, event.ended_at)),
        p99=UNKNOWN if p99 is None else f"{p99:g} ms",
        lost=UNKNOWN if lost is None else f"{lost:g}" if sent is None else f"{lost:g} of {sent:g}",
        reason=event.reason,
    )
