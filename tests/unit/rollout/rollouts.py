"""Rollouts over fake hosts: a canary, one that ends well, one that fails, and what they are judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.domain.load_report import LoadReport
from infra.domain.regression import Judgement, Verdict
from infra.errors import RolloutError
from infra.rollout.driver import Rollout
from tests.support.fake_hostctl import PREVIOUS, Stage, make_stage
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

MOVED = ["cutover", "counters", "commit"]
RETIRE = ["drain", "park", "prune"]
CANARY = {"strategy": "canary", "canary": {"steps": [10, 50], "bake_seconds": 0.001, "min_requests": 50}}


def canary_stage(*, requests: int = 100, rollback_to: str | None = None, **keywords: Any) -> Stage:
    """Return a canary over two hosts, each of which reports so many good requests per step."""
    settings = make_settings(
        rollout=CANARY,
        rollback_to=rollback_to,
        secrets={"prefix": "LOCAL_", "names": ["SECRET_KEY", "DATABASE_URL"]},
    )
    stage = make_stage(settings, **keywords)
    for host in stage.answers:
        stage.answer("counters", Counters(stage.context.release, requests=requests), host=host)
    return stage


class Counters:
    """Counters that grow with every reading."""

    def __init__(
        self,
        release: str,
        *,
        requests: int = 100,
        failures: int = 0,
        good_readings: int = 0,
        services: Sequence[str] = ("acp-ingest",),
        waiting: Sequence[int] = (),
        took: Sequence[float] = (5,),
    ) -> None:
        """Let `release` handle so many requests from one reading to the next, and fail after some of them.

        `waiting` is how many have no answer at each reading, and `took` how many milliseconds those before it had
        taken; the last figure stays.
        """
        self.took, self.total_ms = took, 0.0
        self.release, self.requests, self.failures, self.readings = release, requests, failures, 0
        self.good_readings, self.services, self.waiting = good_readings, services, waiting or (0,)

    def __call__(self, _request: Any) -> dict[str, Any]:
        """Return the next reading."""
        self.readings += 1
        failing = max(0, self.readings - self.good_readings)
        grown = {"requests": self.requests * self.readings, "failures": self.failures * failing}
        self.total_ms += self.requests * self.took[min(self.readings, len(self.took)) - 1]
        own_ms = self.total_ms / grown["requests"] if self.requests else 0
        good = {"requests": 900 * self.readings, "failures": 0, **self._replica(900 * self.readings, 5)}
        sessions = self.waiting[min(self.readings, len(self.waiting)) - 1]
        own = {
            self.release: {**grown, "sessions": sessions, **self._replica(grown["requests"], own_ms)},
            PREVIOUS: good,
        }
        return {"at": float(self.readings), "services": dict.fromkeys(self.services, own)}

    @staticmethod
    def _replica(requests: int, mean_ms: float) -> dict[str, Any]:
        told = {"requests": requests, "time_ms_average": mean_ms}
        return {"time_ms_average": mean_ms, "replicas": {"w/1": told}}


def run(stage: Stage, shown: list[str]) -> dict[str, Any]:
    """Run the rollout."""
    try:
        return Rollout(stage.context, shown.append).run()
    finally:
        assert stage.journal.unexpected == []


def failure(stage: Stage, shown: list[str]) -> RolloutError:
    """Return the error that the rollout ends with."""
    with pytest.raises(RolloutError) as caught:
        run(stage, shown)
    return caught.value


def verdict_on_search(verdict: Verdict) -> Judgement:
    """Return the verdict of a comparison."""
    return Judgement(
        service="acp-ingest",
        request="POST /api/v1/search",
        verdict=verdict,
        reason="as told",
        pairs=20,
        confidence=0.95,
    )


def load_report(*, missed: list[str]) -> LoadReport:
    """Return the report of a load test."""
    return LoadReport(
        stack="local", release="v1.4.2-1a2b3c4d", images=(), profile="light", scenario="mixed",
        started_at="2026-11-24T10:00:00Z", seconds=15, k6="1.8.1", missed=missed, failed_checks={}, scenarios=(),
        endpoints=(),
    )  # fmt: skip
