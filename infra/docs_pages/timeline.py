"""The timeline as geometry: one column per event, a mark, a bar for its duration, a dot for its p99."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.docs_pages.words import at, duration, happened
from infra.domain.four_keys import seconds_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.domain.history import Event

MOST_COLUMNS = 60
COLUMN_WIDTH = 30
LEFT = 84
RIGHT = 150
NARROWEST = 680
MARKS_Y = 34
BARS_TOP, BARS_BOTTOM = 62, 142
DOTS_TOP, DOTS_BOTTOM = 170, 240
LABELS_Y = 256
HEIGHT = 350
P99 = "p99_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One event: where it stands, and how high its bar and its dot are."""

    x: float
    shape: str
    label: str
    title: str
    bar_y: float | None
    dot_y: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The last events, the oldest on the left, and what is so now on the right."""

    width: int
    columns: tuple[Column, ...]
    longest: str
    highest_p99: str
    line: str
    now_x: float
    now: str
    left_out: int


def draw_timeline(events: Sequence[Event], drift: int | None) -> Timeline:
    """Return the timeline of `events` (the newest first) with `drift` differences now; None where nobody could look."""
    shown = list(reversed(events[:MOST_COLUMNS]))
    times = [seconds_between(event.started_at, event.ended_at) for event in shown]
    p99s = [event.figures.get(P99) for event in shown]
    longest = max((seconds for seconds in times if seconds is not None), default=0.0)
    highest = max((value for value in p99s if value is not None), default=0.0)
    columns = tuple(
        Column(
            x=LEFT + COLUMN_WIDTH * (index + 0.5),
            shape="failed" if event.outcome == "failed" else event.kind,
            label=event.version or event.release or event.host or event.kind,
            title=_title(event, seconds, p99),
            bar_y=_height(seconds, longest, BARS_TOP, BARS_BOTTOM),
            dot_y=_height(p99, highest, DOTS_TOP, DOTS_BOTTOM),
        )
        for index, (event, seconds, p99) in enumerate(zip(shown, times, p99s, strict=True))
    )
    now_x = LEFT + COLUMN_WIDTH * len(columns) + 12
    return Timeline(
        width=max(NARROWEST, int(now_x) + RIGHT),
        columns=columns,
        longest=duration(longest) if longest else "",
        highest_p99=f"{highest:g} ms" if highest else "",
        line=" ".join(f"{column.x:g},{column.dot_y:g}" for column in columns if column.dot_y is not None),
        now_x=now_x,
        now=_now(drift),
        left_out=max(0, len(events) - MOST_COLUMNS),
    )


def _height(value: float | None, most: float, top: int, bottom: int) -> float | None:
    """Return where a value stands between top and bottom; nothing for an unknown one."""
    return None if value is None or most <= 0 else round(bottom - (bottom - top) * max(value, 0.0) / most, 1)


def _title(event: Event, seconds: float | None, p99: float | None) -> str:
    """Return what a pointer or a screen reader is told."""
    parts = [at(event.ended_at), happened(event), event.release, f"took {duration(seconds)}"]
    if p99 is not None:
        parts.append(f"p99 {p99:g} ms")
    return ", ".join(part for part in [*parts, event.reason] if part)


def _now(drift: int | None) -> str:
    """Return what stands at the right end."""
    if drift is None:
        return "hosts not asked"
    return f"drift: {drift}" if drift else "no drift"
