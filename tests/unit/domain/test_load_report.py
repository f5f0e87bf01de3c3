from __future__ import annotations

from dataclasses import replace

import pytest

from infra.domain.load_plan import arrivals, thresholds_of
from infra.domain.load_report import LoadReport, Reading, figures_of, missed, unmeasured
from infra.domain.load_work import WORK
from infra.settings.load_profiles import USUAL_PROFILES

RELEASE = "v1.4.2-1a2b3c4d"
PROFILE = USUAL_PROFILES["smoke"]
SCENARIO = PROFILE.scenarios["smoke"]
WANTED = thresholds_of("smoke", SCENARIO, arrivals(PROFILE, SCENARIO.rate), RELEASE)
VALUES = {
    "counter": {"count": 12.0, "rate": 6.0},
    "rate": {"rate": 0.0, "passes": 0.0, "fails": 12.0},
    "trend": {"count": 12.0, "med": 4.5, "p(95)": 9.5, "p(99)": 9.9, "max": 10.0},
}
KINDS = {"iterations": "counter", "dropped_iterations": "counter", "http_reqs": "counter", "checks": "rate",
         "http_req_failed": "rate", "http_req_duration": "trend"}  # fmt: skip


def good() -> dict[str, Reading]:
    """Return what k6 measured in a run where all went well."""
    found = {}
    for name, texts in WANTED.items():
        kind = KINDS[name.partition("{")[0]]
        found[name] = Reading(kind=kind, values=VALUES[kind], held=dict.fromkeys(texts, True))
    found["dropped_iterations{scenario:smoke}"] = replace(
        found["dropped_iterations{scenario:smoke}"], values={"count": 0.0, "rate": 0.0}
    )
    return found


def test_a_good_run_has_figures_of_every_endpoint() -> None:
    """Nothing is missed, and requests, failures and times of each endpoint are there with their limit."""
    readings = good()
    assert unmeasured(WANTED, readings) == []
    assert missed(WANTED, readings) == []
    kinds, endpoints = figures_of({"smoke": SCENARIO}, RELEASE, readings)
    assert [(kind.iterations, kind.dropped) for kind in kinds] == [(12, 0)]
    assert [row.endpoint for row in endpoints] == list(WORK["smoke"].endpoints)
    paste = next(row for row in endpoints if row.endpoint == "paste")
    assert (paste.requests, paste.failed, paste.p95_ms, paste.max_p95_ms) == (12, 0, 9.5, 1000)
    assert next(row for row in endpoints if row.endpoint == "job").max_p95_ms is None


@pytest.mark.parametrize("name", WANTED)
def test_a_threshold_that_is_gone_is_found(name: str) -> None:
    """A threshold whose metric the run does not have, or that k6 did not judge, never counts as held."""
    readings = good()
    without = {key: reading for key, reading in readings.items() if key != name}
    assert unmeasured(WANTED, without) == [f"{name} names no metric of the run"]
    if WANTED[name]:
        unjudged = readings | {name: replace(readings[name], held={})}
        assert unmeasured(WANTED, unjudged) == [f"{name} was not judged by {WANTED[name][0]}"]
        other = readings | {name: replace(readings[name], held={"count>=0": True})}
        assert unmeasured(WANTED, other) != []


@pytest.mark.parametrize("name", [name for name, texts in WANTED.items() if texts])
def test_a_threshold_that_does_not_hold_is_named(name: str) -> None:
    """Each one alone fails the run, with its expression and the values."""
    readings = good()
    broken = readings | {name: replace(readings[name], held=dict.fromkeys(WANTED[name], False))}
    (found,) = missed(WANTED, broken)
    assert found.startswith(f"{name}: {WANTED[name][0]} (")


@pytest.mark.parametrize("name", [name for name in WANTED if KINDS[name.partition("{")[0]] != "counter"])
def test_a_metric_without_a_measurement_is_missed(name: str) -> None:
    """k6 lets a rate or percentile of nothing hold; here it does not."""
    readings = good()
    empty = dict.fromkeys(readings[name].values, 0.0)
    silent = readings | {name: replace(readings[name], values=empty)}
    assert missed(WANTED, silent) == [f"{name}: there was nothing to judge"]


def test_a_report_passes_only_when_nothing_was_missed() -> None:
    """The verdict follows from what was missed, and all of it is in the JSON."""
    report = LoadReport(
        stack="local", release=RELEASE, images=("i@sha256:0",), profile="smoke", scenario="mixed",
        started_at="2026-11-24T10:00:00Z", seconds=2.5, k6="1.8.1", missed=(), failed_checks={}, scenarios=(),
        endpoints=(),
    )  # fmt: skip
    assert report.to_json()["passed"] is True
    bad = replace(report, missed=("x: count>=1 (count 0)",), failed_checks={"paste: is 2xx": 3})
    assert bad.to_json()["passed"] is False
    assert bad.problems() == ["missed x: count>=1 (count 0)", "3 times not so: paste: is 2xx"]
