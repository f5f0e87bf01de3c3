from __future__ import annotations

from typing import Any

import pytest

from infra.domain.resources import (
    Growth,
    Reading,
    by_container,
    cpu_percents,
    judge_container,
    judge_growth,
    summarise_container,
    thinned,
)
from infra.settings.resources import ResourceLimits

LIMIT = 1000


def reading(at: float = 0, **changes: Any) -> Reading:
    """Return a reading of a container at rest."""
    values: dict[str, Any] = {
        "host": "h1", "name": "acp-x-ingest-1", "service": "acp-ingest", "release": "v1-0", "memory_bytes": 500,
        "memory_limit_bytes": LIMIT, "cpu_seconds": at / 10, "restarts": 0, "oom_kills": 0, "connections": 3,
        "disk_bytes": 10,
    }  # fmt: skip
    return Reading(at=at, **{**values, **changes})


def outcomes(*series: Reading, growth: Growth | None = None, **limits: Any) -> dict[str, str]:
    """Return the verdict on each measure."""
    verdicts = judge_container(list(series), ResourceLimits(**limits), growth)
    return {verdict.measure: verdict.outcome for verdict in verdicts}


def test_a_container_at_rest_is_within_its_limits() -> None:
    """Every measure with a limit has a verdict, those without one have none."""
    assert outcomes(reading(0), reading(2)) == {
        "memory": "ok", "restarts": "ok", "oom kills": "ok", "growth": "cannot tell",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "bad", "limits"),
    [
        ("memory", {"memory_bytes": 801}, {}),
        ("restarts", {"restarts": 1}, {}),
        ("oom kills", {"oom_kills": 1}, {}),
        ("cpu", {"cpu_seconds": 1.3}, {"max_cpu_percent": 60}),
        ("connections", {"connections": 101}, {"max_connections": 100}),
        ("disk", {"disk_bytes": 2001}, {"max_disk_bytes": 2000}),
    ],
)
def test_one_reading_above_the_limit_is_a_breach(measure: str, bad: dict[str, Any], limits: dict[str, Any]) -> None:
    """The highest reading counts, also when a later one is lower again; at the limit is within it."""
    assert outcomes(reading(0), reading(2, **bad), **limits)[measure] == "breach"
    if measure != "cpu":
        assert outcomes(reading(0), reading(2, **bad), reading(4), **limits)[measure] == "breach"
        at_limit = {key: value - 1 for key, value in bad.items()}
        assert outcomes(reading(0), reading(2, **at_limit), **limits)[measure] == "ok"


def test_what_the_host_does_not_tell_is_no_pass() -> None:
    """A limit on a measure without a reading cannot be told."""
    assert outcomes(reading(connections=None), max_connections=100)["connections"] == "cannot tell"
    assert outcomes(reading(), max_cpu_percent=50)["cpu"] == "cannot tell"


@pytest.mark.parametrize(("low", "high", "outcome"), [(120, 300, "breach"), (-10, 90, "ok"), (50, 150, "cannot tell")])
def test_growth_is_judged_on_its_bounds(low: float, high: float, outcome: str) -> None:
    """A leak is one whose lower bound is above the limit, none is one whose upper bound is below."""
    found, reason = judge_growth(Growth(per_hour=100, low=low, high=high), 100)
    assert found == outcome
    assert "99 % confidence" in reason


def test_cpu_is_the_use_since_the_reading_before() -> None:
    """The first reading has the rate of the second; one alone has none."""
    assert cpu_percents([reading(0), reading(2), reading(4, cpu_seconds=1.2)]) == pytest.approx([10, 10, 50])
    assert cpu_percents([reading(0)]) == [None]
    assert summarise_container([reading(0)])["cpu_percent"] == [None]


def test_a_report_has_a_bounded_number_of_readings() -> None:
    """First and last are among them, and the highest counts are of all readings."""
    series = [reading(n, restarts=int(n == 7)) for n in range(1000)]
    kept = thinned(series)
    assert (len(kept), kept[0], kept[-1]) == (40, series[0], series[-1])
    summary = summarise_container(series)
    assert (summary["readings"], summary["restarts"], len(summary["memory_bytes"])) == (1000, 1, 40)
    assert thinned(series[:3]) == series[:3]


def test_a_report_has_the_limit_also_of_a_container_that_ended() -> None:
    """The last limit counts, and where the host tells none any more, the one before."""
    assert summarise_container([reading(0), reading(2, memory_limit_bytes=900)])["memory_limit_bytes"] == 900
    assert summarise_container([reading(0), reading(2, memory_limit_bytes=0)])["memory_limit_bytes"] == LIMIT


def test_containers_of_equal_name_on_two_hosts_are_two() -> None:
    """Readings are kept apart by host and container and put in order of time."""
    found = by_container([reading(2), reading(0), reading(1, host="h2")])
    assert {key: [each.at for each in series] for key, series in found.items()} == {
        ("h1", "acp-x-ingest-1"): [0, 2],
        ("h2", "acp-x-ingest-1"): [1],
    }
