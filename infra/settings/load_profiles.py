"""How much load a stack's load tests make, and what they must find."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from infra.domain.load_work import WORK
from infra.settings.base import EnvironmentName, Model, Name, Seconds
from infra.settings.regression import Regression

ScenarioName = Literal["smoke", "ingest", "search", "agents"]


class Scenario(Model):
    """One kind of work: how often it arrives, and the limits of its endpoints."""

    rate: float = Field(gt=0, le=10_000, description="Arrivals a second, whether or not answers come.")
    max_p95_ms: dict[str, float] = Field(
        min_length=1, description="Limit of the 95th percentile of the answers' time, by endpoint."
    )
    max_failed_rate: float = Field(default=0, ge=0, lt=1, description="Share of requests and checks that may fail.")


class Profile(Model):
    """One amount of load."""

    duration_seconds: Seconds = Field(ge=1, description="Time in which work arrives; k6 takes a second at least.")
    peak: float = Field(
        default=1, ge=1, le=100, description="Arrivals rise to this many times the rate by half time, and stay there."
    )
    scenarios: dict[ScenarioName, Scenario] = Field(min_length=1, description="Kinds of work, by name.")

    @model_validator(mode="after")
    def _limits_name_endpoints(self) -> Self:
        problems = [
            f"scenarios.{name}.max_p95_ms.{endpoint}: names no endpoint (there are {', '.join(WORK[name].endpoints)})"
            for name, scenario in self.scenarios.items()
            for endpoint in scenario.max_p95_ms
            if endpoint not in WORK[name].endpoints
        ]
        problems += [
            f"scenarios.{name}: {scenario.rate:g} a second for {self.duration_seconds:g} s are no arrival"
            for name, scenario in self.scenarios.items()
            if scenario.rate * self.duration_seconds < 1
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _profile(
    duration_seconds: float,
    *,
    ingest: float,
    search: float,
    agents: float,
    peak: float = 1,
    max_failed_rate: float = 0,
    patience: float = 1,
) -> Profile:
    """Return a profile with the usual limits, `patience` times as long."""
    limits: dict[ScenarioName, tuple[float, dict[str, float]]] = {
        "ingest": (ingest, {"paste": 500, "ingest_status": 300}),
        "search": (search, {"search": 300}),
        "agents": (agents, {"start_job": 500, "job": 300}),
    }
    scenarios = {
        name: Scenario(
            rate=rate,
            max_p95_ms={endpoint: ms * patience for endpoint, ms in found.items()},
            max_failed_rate=max_failed_rate,
        )
        for name, (rate, found) in limits.items()
    }
    return Profile(duration_seconds=duration_seconds, peak=peak, scenarios=scenarios)


USUAL_PROFILES = {
    "smoke": Profile(
        duration_seconds=2, scenarios={"smoke": Scenario(rate=1, max_p95_ms={"paste": 1000, "search": 1000})}
    ),
    "light": _profile(15, ingest=0.5, search=5, agents=0.2, patience=2),
    "load": _profile(60, ingest=5, search=50, agents=1),
    "stress": _profile(120, ingest=5, search=50, agents=1, peak=4, max_failed_rate=0.01, patience=4),
    "soak": _profile(3600, ingest=2, search=20, agents=0.5),
}


class Load(Model):
    """Load tests with k6, and the comparison with the previous release."""

    after_release: Name | None = Field(
        default=None,
        description="Profile that a release must stand in public before it is committed; none: no load.",
    )
    profiles: dict[Name, Profile] = Field(
        default_factory=lambda: dict(USUAL_PROFILES),
        description="Amounts of load by name; `smoke`, `light`, `load`, `stress` and `soak` are there unless replaced.",
    )
    token_name: EnvironmentName | None = Field(
        default=None, description="Variable of the runner's environment with a bearer token that the requests carry."
    )
    regression: Regression = Field(default_factory=Regression, description="Candidate against current.")

    @field_validator("profiles", mode="before")
    @classmethod
    def _with_the_usual(cls, given: Any) -> Any:
        return {**USUAL_PROFILES, **given} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _after_release_exists(self) -> Self:
        if self.after_release is not None and self.after_release not in self.profiles:
            msg = f"after_release: there is no profile {self.after_release!r} ({', '.join(self.profiles)})"
            raise ValueError(msg)
        return self
