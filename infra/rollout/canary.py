"""The steps of a canary: watch candidate and current over the same time, then judge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from infra.checks.target import web_services
from infra.domain.canary import (
    Judgement,
    Sample,
    Thresholds,
    Verdict,
    judge,
    judge_failures,
    judge_waiting,
    merge,
    sample,
)
from infra.errors import CheckError
from infra.rollout.probes import ask_publicly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.rollout.context import RolloutContext
    from infra.rollout.heartbeat import Heartbeat

    Readings = Mapping[str, Mapping[str, Any]]

COUNTERS_TIMEOUT_SECONDS = 20.0
PATIENCE = 3
"""So many times as often as its share asks for is the public address asked for a candidate's answers."""

MEND = "the release before serves; mend the candidate"
SHORTEST_SECONDS = 0.001
LOOK_SECONDS = 2.0
STANDSTILL_LOOKS = 3
"""A candidate that is busy with something else at one look or two, and goes on then, is not one that never answers."""


class UnansweredError(CheckError):
    """Some `services` of the candidate do not answer: what they work on will not be finished."""

    def __init__(self, found: Mapping[str, Judgement]) -> None:
        """Say why, for each service."""
        reasons = "; ".join(judgement.reason for judgement in found.values())
        super().__init__(f"canary: {reasons}", mend=MEND)
        self.services = sorted(found)


class Canary:
    """One canary: each step is judged by itself, and its failures also by all steps up to it."""

    def __init__(self, context: RolloutContext, current: str, heartbeat: Heartbeat) -> None:
        """Prepare to judge `context.release` against the release `current`."""
        settings = context.settings.rollout.canary
        self._context = context
        self._current = current
        self._heartbeat = heartbeat
        self._bake_seconds = settings.bake_seconds
        self._thresholds = Thresholds(
            min_requests=settings.min_requests,
            max_error_rate_increase=settings.max_error_rate_increase,
            max_latency_ratio=settings.max_latency_ratio,
        )
        self._first: Readings | None = None

    def bake(self, weight: int) -> list[str]:
        """Watch one step, with `weight` percent on the candidate; return the reasons for going on.

        Raises `CheckError` for stopping.
        """
        before = self._counters()
        self._first = self._first or before
        after = self._watch(before)
        self._require_trial()
        reasons: list[str] = []
        for service in self._services(after):
            judgement = self._judge(service, before, after)
            if judgement.verdict is Verdict.INSUFFICIENT:
                reasons.append(f"{judgement.reason}: asking it ourselves")
                judgement = self._judge(service, before, self._ask_ourselves(service, before, weight))
            if judgement.verdict is not Verdict.GOOD:
                raise CheckError(f"canary: {judgement.reason}", mend=MEND)
            reasons.append(judgement.reason)
        return reasons

    def _judge(self, service: str, before: Readings, after: Readings) -> Judgement:
        """Return the verdict on a step; a few failures in each of several steps add up."""
        found = judge(service, *self._samples(service, before, after), self._thresholds)
        so_far = self._samples(service, self._first or before, after)
        return judge_failures(service, *so_far, self._thresholds) or found

    def _watch(self, before: Readings) -> Readings:
        """Return the counters when the time of a step is over and nobody waits for the candidate unduly.

        Raises `UnansweredError` as soon as many requests wait for it at one look after the other.
        """
        left, waiting = self._bake_seconds, 0
        while True:
            pause = min(LOOK_SECONDS, left) if left > 0 else LOOK_SECONDS
            self._heartbeat.wait(pause)
            left -= pause
            after = self._counters()
            found = self._unanswered(before, after)
            waiting = waiting + 1 if found else 0
            if waiting >= STANDSTILL_LOOKS:
                self._require_trial()
                raise UnansweredError(found)
            if left <= 0 and not found:
                return after

    def _unanswered(self, before: Readings, after: Readings) -> dict[str, Judgement]:
        """Return the verdicts on services whose candidate far more requests wait for than for current."""
        seconds = max(SHORTEST_SECONDS, *(reading["at"] - before[host]["at"] for host, reading in after.items()))
        judged = {
            service: judge_waiting(service, *self._samples(service, before, after), self._thresholds, seconds=seconds)
            for service in self._services(after)
        }
        return {service: found for service, found in judged.items() if found}

    def _ask_ourselves(self, service: str, before: Readings, weight: int) -> Readings:
        """Ask until the candidate was tried as often as a verdict needs, or far too often; return the counters then."""
        count, after = self._thresholds.min_requests, before
        for _ in range(math.ceil(PATIENCE * 100 / weight)):
            ask_publicly(self._context, service, count)
            self._heartbeat.check()
            after = self._counters()
            if self._samples(service, before, after)[0].attempts >= count:
                break
        self._require_trial()
        return after

    def _require_trial(self) -> None:
        """Raise the reason why a host took the candidate out: its counters would only say that nobody asked."""
        self._context.group.call("renew", timeout_seconds=COUNTERS_TIMEOUT_SECONDS, release=self._context.release)

    def _counters(self) -> Readings:
        return self._context.group.each(
            lambda client: client.call("counters", timeout_seconds=COUNTERS_TIMEOUT_SECONDS)
        )

    def _services(self, readings: Readings) -> list[str]:
        """Return the web services that the candidate has; earlier releases may have had others."""
        counted = {service for reading in readings.values() for service in reading["services"]}
        return sorted(counted & set(web_services(self._context.settings)))

    def _samples(self, service: str, before: Readings, after: Readings) -> tuple[Sample, Sample]:
        """Return what the candidate and what the current release did on all hosts between two readings."""
        candidate, current = (
            merge(
                [
                    sample(
                        before[host]["services"].get(service, {}).get(release, {}),
                        reading["services"].get(service, {}).get(release, {}),
                    )
                    for host, reading in after.items()
                ]
            )
            for release in (self._context.release, self._current)
        )
        return candidate, current
