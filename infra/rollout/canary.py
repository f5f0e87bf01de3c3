"""The steps of a canary: watch candidate and current over the same time, then judge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infra.domain.canary import Judgement, Verdict, judge, judge_answers, judge_times
from infra.errors import CheckError
from infra.rollout import standstill
from infra.rollout.counters import Counters
from infra.rollout.probes import ask_publicly
from infra.rollout.standstill import Standstill, UnansweredError, thresholds_of

if TYPE_CHECKING:
    from infra.rollout.context import RolloutContext
    from infra.rollout.counters import Readings
    from infra.rollout.heartbeat import Heartbeat

RENEW_TIMEOUT_SECONDS = 20.0
PATIENCE = 3
"""So many times as often as its share asks for is the public address asked for a candidate's answers."""

MEND = "the release before serves; {}"


class Canary:
    """One canary: each step is judged by itself, and its answers also by all steps up to it."""

    def __init__(self, context: RolloutContext, current: str, heartbeat: Heartbeat) -> None:
        """Prepare to judge `context.release` against the release `current`."""
        self._context = context
        self._counters = Counters(context, current)
        self._heartbeat = heartbeat
        self._bake_seconds = context.settings.rollout.canary.bake_seconds
        self._thresholds = thresholds_of(context.settings)
        self._first: Readings | None = None

    def bake(self, weight: int) -> list[str]:
        """Watch one step, with `weight` percent on the candidate; return the reasons for going on.

        What looks slow is watched once more: caches that are still cold, and chance, are gone then. Nobody loses a
        request by it. Raises `CheckError` for stopping.
        """
        were_slow: set[str] = set()
        reasons: list[str] = []
        while True:
            found, slow = self._watch_step(weight)
            reasons += found
            if again := [judgement for service, judgement in slow.items() if service in were_slow]:
                raise CheckError(f"canary: {again[0].reason}, twice", mend=MEND.format(again[0].mend))
            if not slow:
                return reasons
            were_slow |= slow.keys()
            reasons += [f"{judgement.reason}: watching it again" for judgement in slow.values()]

    def _watch_step(self, weight: int) -> tuple[list[str], dict[str, Judgement]]:
        """Watch for the time of a step; return why its services are good, and the verdicts on those that are slow."""
        before = self._counters.read()
        self._first = self._first or before
        readings = self._watch(before)
        self._require_trial()
        reasons: list[str] = []
        slow: dict[str, Judgement] = {}
        for service in self._counters.services(readings[-1]):
            judgement = self._judge(service, before, readings[-1])
            seen = readings
            if judgement.verdict is Verdict.INSUFFICIENT:
                reasons.append(f"{judgement.reason}: asking it ourselves")
                seen = readings + self._ask_ourselves(service, before, weight)
                judgement = self._judge(service, before, seen[-1])
            if judgement.verdict is not Verdict.GOOD:
                raise CheckError(f"canary: {judgement.reason}", mend=MEND.format(judgement.mend))
            if slower := judge_times(service, *self._counters.times(service, seen), self._thresholds):
                slow[service] = slower
            else:
                reasons.append(judgement.reason)
        return reasons, slow

    def _judge(self, service: str, before: Readings, after: Readings) -> Judgement:
        """Return the verdict on a step; a few bad answers in each of several steps add up."""
        found = judge(service, *self._counters.samples(service, before, after), self._thresholds)
        so_far = self._counters.samples(service, self._first or before, after)
        return judge_answers(service, *so_far, self._thresholds) or found

    def _watch(self, before: Readings) -> list[Readings]:
        """Return what the counters said, look after look, until the time of a step is over and nobody waits unduly.

        Raises `UnansweredError` as soon as many requests wait for it at one look after the other.
        """
        left, watched = self._bake_seconds, Standstill(self._counters, self._thresholds, before)
        readings = [before]
        while True:
            pause = min(standstill.LOOK_SECONDS, left) if left > 0 else standstill.LOOK_SECONDS
            self._heartbeat.wait(pause)
            left -= pause
            try:
                readings.append(watched.look())
            except UnansweredError:
                self._require_trial()
                raise
            if left <= 0 and not watched.is_suspected:
                return readings

    def _ask_ourselves(self, service: str, before: Readings, weight: int) -> list[Readings]:
        """Ask until the candidate was tried as often as a verdict needs, or far too often; return the counters then."""
        count, readings = self._thresholds.min_requests, []
        for _ in range(math.ceil(PATIENCE * 100 / weight)):
            ask_publicly(self._context, service, count)
            self._heartbeat.check()
            readings.append(self._counters.read())
            if self._counters.samples(service, before, readings[-1])[0].attempts >= count:
                break
        self._require_trial()
        return readings

    def _require_trial(self) -> None:
        """Raise the reason why a host took the candidate out: its counters would only say that nobody asked."""
        self._context.group.call("renew", timeout_seconds=RENEW_TIMEOUT_SECONDS, release=self._context.release)
