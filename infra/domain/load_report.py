"""What a load test found: figures per endpoint, and everything that was missed; pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from infra.domain.load_plan import selector
from infra.domain.load_work import WORK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.settings.load_profiles import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One metric under the tags of one threshold: its kind, its values, and whether its expressions held."""

    kind: str
    values: Mapping[str, float]
    held: Mapping[str, bool]

    @property
    def samples(self) -> float:
        """Return how many measurements stand behind it."""
        return self.values["passes"] + self.values["fails"] if self.kind == "rate" else self.values["count"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFigures:
    """One endpoint as one scenario saw it; times in milliseconds."""

    scenario: str
    endpoint: str
    requests: int
    failed: int
    median_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    max_p95_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFigures:
    """How much of one kind of work arrived and was begun."""

    scenario: str
    rate: float
    iterations: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """One run of k6 against one release."""

    stack: str
    release: str
    images: Sequence[str]
    profile: str
    scenario: str
    started_at: str
    seconds: float
    k6: str
    missed: Sequence[str]
    failed_checks: Mapping[str, int]
    scenarios: Sequence[ScenarioFigures]
    endpoints: Sequence[EndpointFigures]

    @property
    def passed(self) -> bool:
        """Return whether nothing was missed."""
        return not self.missed

    def to_json(self) -> dict[str, Any]:
        """Return the report as the record and the file have it."""
        lists = {"images": list(self.images), "missed": list(self.missed), "failed_checks": dict(self.failed_checks)}
        return {"passed": self.passed, **asdict(self), **lists}

    def problems(self) -> list[str]:
        """Return what was missed and which checks failed, one line each."""
        return [
            *(f"missed {text}" for text in self.missed),
            *(f"{count} times not so: {name}" for name, count in self.failed_checks.items()),
        ]


def unmeasured(wanted: Mapping[str, Sequence[str]], readings: Mapping[str, Reading]) -> list[str]:
    """Return the thresholds that name no metric of the run, or that k6 did not judge."""
    return [
        *(f"{name} names no metric of the run" for name in wanted if name not in readings),
        *(
            f"{name} was not judged by {', '.join(texts)}"
            for name, texts in wanted.items()
            if name in readings and set(texts) != set(readings[name].held)
        ),
    ]


def missed(wanted: Mapping[str, Sequence[str]], readings: Mapping[str, Reading]) -> list[str]:
    """Return every threshold that did not hold, and every one that holds for want of anything to judge."""
    found = []
    for name in wanted:
        reading = readings[name]
        found += [f"{name}: {text} ({_shown(reading)})" for text, held in reading.held.items() if not held]
        if reading.kind in {"rate", "trend"} and not reading.samples:
            found.append(f"{name}: there was nothing to judge")
    return found


def figures_of(
    scenarios: Mapping[str, Scenario], release: str, readings: Mapping[str, Reading]
) -> tuple[list[ScenarioFigures], list[EndpointFigures]]:
    """Return the figures of every scenario and endpoint of a run whose thresholds were all measured."""
    kinds = [
        ScenarioFigures(
            scenario=name,
            rate=scenario.rate,
            iterations=int(readings[f"iterations{{scenario:{name}}}"].values["count"]),
            dropped=int(readings[f"dropped_iterations{{scenario:{name}}}"].values["count"]),
        )
        for name, scenario in scenarios.items()
    ]
    endpoints = [
        _endpoint(name, endpoint, scenario.max_p95_ms.get(endpoint), selector(name, endpoint, release), readings)
        for name, scenario in scenarios.items()
        for endpoint in WORK[name].endpoints
    ]
    return kinds, endpoints


def _endpoint(
    scenario: str, endpoint: str, limit: float | None, tags: str, readings: Mapping[str, Reading]
) -> EndpointFigures:
    times = readings[f"http_req_duration{tags}"].values
    return EndpointFigures(
        scenario=scenario,
        endpoint=endpoint,
        requests=int(readings[f"http_reqs{tags}"].values["count"]),
        # Of `http_req_failed`, a pass is a request that failed.
        failed=int(readings[f"http_req_failed{tags}"].values["passes"]),
        median_ms=round(times["med"], 2),
        p95_ms=round(times["p(95)"], 2),
        p99_ms=round(times["p(99)"], 2),
        max_ms=round(times["max"], 2),
        max_p95_ms=limit,
    )


def _shown(reading: Reading) -> str:
    """Return the values that a missed threshold is about."""
    names = {"counter": ("count",), "rate": ("rate",), "trend": ("med", "p(95)", "max")}[reading.kind]
    return ", ".join(f"{name} {reading.values[name]:.4g}" for name in names)
