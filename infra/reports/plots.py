"""Line and bar plots as geometry: the template draws them as SVG, with patterns instead of colours; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 8, 20
DASHES = ("none", "6 3", "2 3", "9 3 2 3", "12 4", "1 4", "4 1", "8 2 1 2")
TICKS = 3
HEADROOM = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series of a plot; `label` stands in the legend beside its dash pattern."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis."""

    position: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLine:
    """A series as SVG wants it."""

    label: str
    dash: str
    path: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePlot:
    """A plot over time, ready to draw."""

    title: str
    unit: str
    lines: Sequence[DrawnLine]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    limit: float | None
    limit_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: where it begins and how wide it is, in percent of the plot, and its figure in words."""

    label: str
    start: float
    width: float
    text: str


def line_plot(title: str, unit: str, lines: Sequence[Line], *, limit: float | None = None) -> LinePlot | None:
    """Return a plot of the lines from zero to above the highest value or the limit; None without a point."""
    points = [point for line in lines for point in line.points]
    if not points:
        return None
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top = nice(max(HEADROOM * max(y for _, y in points), HEADROOM * (limit or 0), 1e-9))
    span = (right - left) or 1.0

    def x_at(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - left) / span, 1)

    def y_at(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)

    return LinePlot(
        title=title,
        unit=unit,
        lines=[
            DrawnLine(
                label=line.label,
                dash=DASHES[index % len(DASHES)],
                path=" ".join(f"{x_at(x)},{y_at(y)}" for x, y in line.points),
                last=f"{number(line.points[-1][1])} {unit}" if line.points else "no reading",
            )
            for index, line in enumerate(lines)
        ],
        x_ticks=[Tick(position=x_at(left + span * n / TICKS), text=f"{left + span * n / TICKS:.0f} s") for n in (0, 3)],
        y_ticks=[
            Tick(position=y_at(top * n / TICKS), text=number(top * n / TICKS, digits=3)) for n in range(TICKS + 1)
        ],
        limit=None if limit is None else y_at(limit),
        limit_text="" if limit is None else f"limit {number(limit)} {unit}",
    )


def nice(value: float) -> float:
    """Return the next figure up that three equal steps divide well."""
    scale: float = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in (1.2, 1.5, 3, 6, 9, 12) if step * scale >= value)


def number(value: float, digits: int = 4) -> str:
    """Return a number for people: whole ones and large ones in full, any other with so many significant digits."""
    is_long = float(value).is_integer() or abs(value) >= 10 ** (digits - 1)
    return f"{value:,.0f}" if is_long else f"{value:.{digits}g}"


def bars(figures: Mapping[str, float], unit: str, *, decimals: int = 0) -> list[Bar]:
    """Return one bar per figure, the largest over the whole width."""
    most = max(figures.values(), default=0) or 1
    return [
        Bar(label=label, start=0, width=round(100 * value / most, 1), text=f"{value:,.{decimals}f} {unit}")
        for label, value in figures.items()
    ]


def spans(steps: Mapping[str, float]) -> list[Bar]:
    """Return one bar per step of a timeline, from the step before to its own end.

    In order of time: the engine that kept the steps has put them into another order.
    """
    total = max(steps.values(), default=0) or 1
    found, before = [], 0.0
    for label, end in sorted(steps.items(), key=lambda step: step[1]):
        start = min(before, end)
        found.append(
            Bar(
                label=label,
                start=round(100 * start / total, 1),
                width=round(100 * (end - start) / total, 1),
                text=f"{end:.2f} s",
            )
        )
        before = end
    return found
