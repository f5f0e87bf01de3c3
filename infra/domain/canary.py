"""The verdict on a canary: candidate against current over the same time, from the edge's own counters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANCE = 0.05
"""How likely failures may be by chance alone, at the allowed rate, to be still taken for chance."""
LEAST_WAITING = 10
"""Fewer requests without an answer may be those of a few patient clients, who all met the candidate."""
WAITING_CHANCE = 0.0001
"""The same for requests without an answer: one standstill makes many of them, and each step is asked about them."""
CLOCK_MS = 2.0
"""The edge counts whole milliseconds: what differs by less is no difference."""


class Verdict(Enum):
    """What the numbers say."""

    GOOD = "good"
    BAD = "bad"
    INSUFFICIENT = "insufficient data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one release of one service did in a window; `waiting` requests had no answer when it ended."""

    requests: int
    failures: int
    mean_ms: float
    waiting: int = 0

    @property
    def attempts(self) -> int:
        """Return how many requests reached the release; one that was redispatched counts where it failed, too."""
        return max(self.requests, self.failures)

    @property
    def error_rate(self) -> float:
        """Return failures per attempt, 0 when there was none."""
        return self.failures / self.attempts if self.attempts else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What a candidate may do worse than the current release."""

    min_requests: int
    max_error_rate_increase: float
    max_latency_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with its reason in words."""

    verdict: Verdict
    reason: str


def sample(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sample:
    """Return what happened between two readings of `hostctl counters` for one release of one service."""
    return Sample(
        requests=int(after.get("requests", 0)) - int(before.get("requests", 0)),
        failures=int(after.get("failures", 0)) - int(before.get("failures", 0)),
        mean_ms=float(after.get("time_ms_average") or 0),
        waiting=int(after.get("sessions") or 0),
    )


def merge(samples: list[Sample]) -> Sample:
    """Return the samples of several hosts as one, latencies weighted by requests."""
    requests = sum(s.requests for s in samples)
    return Sample(
        requests=requests,
        failures=sum(s.failures for s in samples),
        mean_ms=sum(s.mean_ms * s.requests for s in samples) / requests if requests else 0.0,
        waiting=sum(s.waiting for s in samples),
    )


def judge(service: str, candidate: Sample, current: Sample, thresholds: Thresholds) -> Judgement:
    """Return the verdict on one service; failures are judged even when there is too little for a good verdict."""
    if failing := judge_failures(service, candidate, current, thresholds):
        return failing
    if candidate.requests < thresholds.min_requests:
        asked = f"{candidate.requests} requests on the candidate"
        return Judgement(
            verdict=Verdict.INSUFFICIENT, reason=f"{service}: {asked}, a verdict needs {thresholds.min_requests}"
        )
    is_comparable = current.requests >= thresholds.min_requests
    allowed_ms = max(current.mean_ms * thresholds.max_latency_ratio, current.mean_ms + CLOCK_MS)
    if is_comparable and candidate.mean_ms > allowed_ms:
        return Judgement(
            verdict=Verdict.BAD,
            reason=f"{service}: the candidate takes {candidate.mean_ms:.0f} ms on average, "
            f"current {current.mean_ms:.0f} ms (allowed {thresholds.max_latency_ratio:g} times)",
        )
    done = f"{candidate.requests} requests, {candidate.failures} failed, {candidate.mean_ms:.0f} ms on average"
    return Judgement(verdict=Verdict.GOOD, reason=f"{service}: {done}")


def judge_failures(service: str, candidate: Sample, current: Sample, thresholds: Thresholds) -> Judgement | None:
    """Return why the candidate is bad when more of it failed than is allowed and than chance explains, else None."""
    allowed = current.error_rate + thresholds.max_error_rate_increase
    if chance(candidate.failures, candidate.attempts, allowed) > CHANCE:
        return None
    return Judgement(
        verdict=Verdict.BAD,
        reason=f"{service}: {candidate.failures} of {candidate.attempts} requests failed on the candidate "
        f"({candidate.error_rate:.1%}, current {current.error_rate:.1%}, allowed {allowed:.1%})",
    )


def judge_waiting(
    service: str, candidate: Sample, current: Sample, thresholds: Thresholds, *, seconds: float
) -> Judgement | None:
    """Return why the candidate is bad when more requests wait for it than slow answers and chance explain, else None.

    What is never answered has neither failed nor taken any time. A request that came at any moment of the last
    `seconds` waits at their end with the probability of its duration divided by them (Little's law); the duration that
    is allowed is the current release's, as it answers or as its own requests wait, times `max_latency_ratio`.
    """
    attempts = max(candidate.attempts, candidate.waiting)
    own = max(current.waiting / max(1, current.attempts), current.mean_ms / 1000 / seconds)
    allowed = min(1.0, own * thresholds.max_latency_ratio)
    if candidate.waiting < LEAST_WAITING or chance(candidate.waiting, attempts, allowed) > WAITING_CHANCE:
        return None
    beside = f" (current {current.waiting} of {current.attempts})" if current.attempts else ""
    return Judgement(
        verdict=Verdict.BAD,
        reason=f"{service}: {candidate.waiting} of {attempts} requests wait for an answer of the candidate{beside}",
    )


def chance(failures: int, attempts: int, rate: float) -> float:
    """Return how likely `failures` or more of `attempts` fail where each fails with the probability `rate`.

    It is the upper tail of the binomial distribution: a release whose failures are likely at the allowed rate has not
    been shown to fail more often.
    """
    if rate <= 0 or rate >= 1:
        return 1.0 if failures == 0 or rate >= 1 else 0.0
    fewer = (
        math.exp(
            math.lgamma(attempts + 1)
            - math.lgamma(count + 1)
            - math.lgamma(attempts - count + 1)
            + count * math.log(rate)
            + (attempts - count) * math.log1p(-rate)
        )
        for count in range(failures)
    )
    return max(0.0, 1.0 - math.fsum(fewer))
