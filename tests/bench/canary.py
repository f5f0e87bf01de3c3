"""Figures of a canary with the steps and times that a stack has by default: lost requests and latency meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.certificate import certify
from tests.bench.figure import Figure
from tests.bench.loss import resting
from tests.faults.stage import COMPARED
from tests.support.traffic import loss, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.domain.certificate import Answer
    from tests.faults.stage import Stage

RELEASES = 3
BY_DEFAULT: dict[str, Any] = {"rollout": {"strategy": "canary"}}


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield lost requests of good canary releases at 100 requests/s, p99 over whole releases, and p99 at rest."""
    stage.make_good()
    at_rest: list[Answer] = []
    during: list[Answer] = []
    seconds = 0.0
    with traffic(stage.view.host) as prober:
        for _ in range(RELEASES):
            at_rest += resting(prober)
            begun = len(prober.answers)
            result = stage.release(COMPARED, BY_DEFAULT)
            assert result.good, result.tail()
            during += prober.answers[begun:]
            seconds += result.seconds
    rest, busy = certify(at_rest), certify(during)
    yield Figure(metric="canary_lost_requests", value=loss(prober.answers).lost, unit="requests", n=len(prober.answers))
    yield Figure(metric="canary_seconds", value=seconds / RELEASES, unit="s", n=RELEASES)
    yield Figure(metric="canary_p99_rest_ms", value=rest.p99_ms, unit="ms", n=rest.sent)
    yield Figure(metric="canary_p99_release_ms", value=busy.p99_ms, unit="ms", n=busy.sent)
    yield Figure(metric="canary_p99_ratio", value=busy.p99_ms / rest.p99_ms, unit="ratio", n=busy.sent)
