from __future__ import annotations

import pytest

from infra.reports.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, bars, line_plot, nice, spans


def test_points_stay_within_the_plot() -> None:
    """Every point, tick and limit lies between the axes."""
    found = line_plot("memory", "%", [Line(label="a", points=[(0, 0), (5, 700), (10, 20)])], limit=80)
    assert found is not None
    points = [tuple(map(float, point.split(","))) for point in found.lines[0].path.split()]
    assert points[0] == (LEFT, HEIGHT - BOTTOM)
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in points)
    assert found.limit is not None
    assert TOP <= found.limit <= HEIGHT - BOTTOM


def test_the_limit_is_seen_when_everything_is_far_below() -> None:
    """The axis reaches above the limit, so that one sees how far away it is."""
    found = line_plot("memory", "%", [Line(label="a", points=[(0, 1)])], limit=80)
    assert found is not None
    assert float(found.y_ticks[-1].text) >= 80


@pytest.mark.parametrize("value", [0.0004, 0.7, 1, 42, 84, 999, 1e9])
def test_an_axis_ends_a_little_above_the_highest_value(value: float) -> None:
    """Not below it, and not so far above that the line lies on the ground."""
    assert value <= nice(value) <= 2.1 * value


def test_nothing_to_draw_is_no_plot() -> None:
    """A measure without a reading has no empty axes."""
    assert line_plot("connections", "open", [Line(label="a", points=[])]) is None


def test_a_line_without_readings_stands_in_the_legend() -> None:
    """Beside others, a container that told nothing is named as such."""
    found = line_plot("c", "open", [Line(label="a", points=[(0, 1), (1, 1)]), Line(label="b", points=[])])
    assert found is not None
    assert [line.last for line in found.lines] == ["1 open", "no reading"]


def test_large_readings_are_written_out() -> None:
    """Ticks, legend and limit have no exponent."""
    found = line_plot("c", "open", [Line(label="a", points=[(0, 13480.4), (1, 13480.4)])], limit=1_500_000)
    assert found is not None
    assert (found.lines[0].last, found.limit_text) == ("13,480 open", "limit 1,500,000 open")
    assert [tick.text for tick in found.y_ticks] == ["0", "1,000,000", "2,000,000", "3,000,000"]


def test_bars_are_in_proportion() -> None:
    """The largest takes the whole width; nothing at all is drawn as nothing."""
    assert [bar.width for bar in bars({"a": 5, "b": 10}, "ms")] == [50, 100]
    assert [bar.width for bar in bars({"a": 0}, "ms")] == [0]


def test_steps_follow_each_other() -> None:
    """Each step begins where the one before ended."""
    found = spans({"late": 10, "early": 4})
    assert [(bar.label, bar.start, bar.width) for bar in found] == [("early", 0, 40), ("late", 40, 60)]
