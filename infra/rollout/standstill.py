"""A candidate that takes requests and does not answer them: seen by how many wait, before their users give up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.domain.canary import Thresholds, judge_waiting
from infra.errors import CheckError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.domain.canary import Judgement
    from infra.rollout.counters import Counters, Readings
    from infra.settings.model import Settings

LOOK_SECONDS = 2.0
STANDSTILL_LOOKS = 3
"""A candidate that is busy with something else at one look or two, and goes on then, is not one that never answers."""
SHORTEST_SECONDS = 0.001


def thresholds_of(settings: Settings) -> Thresholds:
    """Return what a stack lets a candidate do worse than the current release, by the names of its canary."""
    canary = settings.rollout.canary
    return Thresholds(
        min_requests=canary.min_requests,
        max_error_rate_increase=canary.max_error_rate_increase,
        max_latency_ratio=canary.max_latency_ratio,
        max_refusal_rate_increase=canary.max_refusal_rate_increase,
    )


class UnansweredError(CheckError):
    """Some `services` of the candidate do not answer: what they work on will not be finished."""

    def __init__(self, found: Mapping[str, Judgement]) -> None:
        """Say why, for each service."""
        reasons = "; ".join(judgement.reason for judgement in found.values())
        super().__init__(reasons, mend="the release before serves; mend the candidate")
        self.services = sorted(found)


class Standstill:
    """One time of watching, from the reading `before` on; who watches looks every `LOOK_SECONDS`."""

    def __init__(self, counters: Counters, thresholds: Thresholds, before: Readings) -> None:
        """Begin to watch."""
        self._counters = counters
        self._thresholds = thresholds
        self._before = before
        self._looks = 0

    @property
    def is_suspected(self) -> bool:
        """Whether far more requests waited for the candidate at the last look than for the current release."""
        return self._looks > 0

    def look(self) -> Readings:
        """Return the counters of now; raise `UnansweredError` when one look after the other finds the same."""
        after = self._counters.read()
        found = self._unanswered(after)
        self._looks = self._looks + 1 if found else 0
        if self._looks >= STANDSTILL_LOOKS:
            raise UnansweredError(found)
        return after

    def _unanswered(self, after: Readings) -> dict[str, Judgement]:
        """Return the verdicts on services whose candidate far more requests wait for than for current."""
        seconds = max(SHORTEST_SECONDS, *(reading["at"] - self._before[host]["at"] for host, reading in after.items()))
        judged = {
            service: judge_waiting(
                service, *self._counters.samples(service, self._before, after), self._thresholds, seconds=seconds
            )
            for service in self._counters.services(after)
        }
        return {service: found for service, found in judged.items() if found}
