"""The verdict on a canary: candidate against current over the same time, from the edge's own counters."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CHANCE = 0.05
"""How likely failures may be by chance alone, at the allowed rate, to be still taken for chance."""
EQUAL_CHANCE = 0.002
"""The same for failures of two releases that fail alike: each step is asked about each service, and all together."""
LEAST_WAITING = 10
"""Fewer requests without an answer may be those of a few patient clients, who all met the candidate."""
WAITING_CHANCE = 0.0001
"""The same for requests without an answer: one standstill makes many of them, and each step is asked about them."""
CLOCK_MS = 2.0
"""The edge counts whole milliseconds: what differs by less is no difference."""
MEMORY = 1024
"""So many requests the edge's averages are of; with more, each takes the place of a part of those before."""
ERRORS = 2.0
"""The mean of an equal release is more standard errors higher than this in one of 40 cases, hardly ever twice."""
STEADY_CHANCE = 0.01
"""How likely a candidate may be slow at so many looks by chance, were it at each as likely not."""


class Verdict(Enum):
    """What the numbers say."""

    GOOD = "good"
    BAD = "bad"
    INSUFFICIENT = "insufficient data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one release of one service did in a window; `waiting` requests had no answer when it ended.

    `refusals` are answers with a status of 400 to 499.
    """

    requests: int
    failures: int
    mean_ms: float
    waiting: int = 0
    refusals: int = 0

    @property
    def attempts(self) -> int:
        """Return how many requests reached the release; one that was redispatched counts where it failed, too."""
        return max(self.requests, self.failures)

    @property
    def error_rate(self) -> float:
        """Return failures per attempt, 0 when there was none."""
        return self.failures / self.attempts if self.attempts else 0.0

    def refusing(self) -> Sample:
        """Return the same with the refusals as its failures."""
        return replace(self, failures=self.refusals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """What the edge says at one moment of one replica: the mean time of its requests up to then."""

    requests: int = 0
    mean_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one replica did from one look to the next: the sum of its times, and how uncertain whole numbers leave it.

    `doubt` is the variance of the sum that comes from the rounding of the two averages that it is worked out from.
    """

    requests: int
    total_ms: float
    doubt: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the requests of one release of one service took.

    `variance` is that of single requests, and `doubt` that of the mean by rounding alone; `looks` are the means from
    one look to the next.
    """

    requests: int
    mean_ms: float
    variance: float = 0.0
    doubt: float = 0.0
    looks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What a candidate may do worse than the current release."""

    min_requests: int
    max_error_rate_increase: float
    max_latency_ratio: float
    max_refusal_rate_increase: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with its reason in words, and what to do where it is bad."""

    verdict: Verdict
    reason: str
    mend: str = "mend the candidate"


def sample(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sample:
    """Return what happened between two readings of `hostctl counters` for one release of one service."""
    return Sample(
        requests=int(after.get("requests", 0)) - int(before.get("requests", 0)),
        failures=int(after.get("failures", 0)) - int(before.get("failures", 0)),
        mean_ms=float(after.get("time_ms_average") or 0),
        waiting=int(after.get("sessions") or 0),
        refusals=int(after.get("http_4xx", 0)) - int(before.get("http_4xx", 0)),
    )


def merge(samples: list[Sample]) -> Sample:
    """Return the samples of several hosts as one, latencies weighted by requests."""
    requests = sum(s.requests for s in samples)
    return Sample(
        requests=requests,
        failures=sum(s.failures for s in samples),
        mean_ms=sum(s.mean_ms * s.requests for s in samples) / requests if requests else 0.0,
        waiting=sum(s.waiting for s in samples),
        refusals=sum(s.refusals for s in samples),
    )


def judge(service: str, candidate: Sample, current: Sample, thresholds: Thresholds) -> Judgement:
    """Return the verdict on a service but for its times; answers are judged even when there is too little to pass."""
    if bad := judge_answers(service, candidate, current, thresholds):
        return bad
    if candidate.requests < thresholds.min_requests:
        asked = f"{candidate.requests} requests on the candidate"
        return Judgement(
            verdict=Verdict.INSUFFICIENT, reason=f"{service}: {asked}, a verdict needs {thresholds.min_requests}"
        )
    done = f"{candidate.requests} requests, {candidate.failures} failed, {candidate.mean_ms:.0f} ms on average"
    return Judgement(verdict=Verdict.GOOD, reason=f"{service}: {done}")


def judge_answers(service: str, candidate: Sample, current: Sample, thresholds: Thresholds) -> Judgement | None:
    """Return why the candidate is bad when more of its answers failed, or refused, than is allowed, else None."""
    return judge_failures(service, candidate, current, thresholds) or judge_refusals(
        service, candidate, current, thresholds
    )


def judge_failures(service: str, candidate: Sample, current: Sample, thresholds: Thresholds) -> Judgement | None:
    """Return why the candidate is bad when more of it failed than is allowed and than chance explains, else None.

    How often the current release fails is known by chance only, too: two releases that fail alike must hardly ever
    differ by so much. Where it was asked too seldom to tell, the allowed rate alone must leave as little doubt.
    """
    allowed = current.error_rate + thresholds.max_error_rate_increase
    if _is_chance(candidate, current, allowed, is_comparable=current.attempts >= thresholds.min_requests):
        return None
    return Judgement(
        verdict=Verdict.BAD,
        reason=f"{service}: {candidate.failures} of {candidate.attempts} requests failed on the candidate "
        f"({candidate.error_rate:.1%}, current {current.error_rate:.1%}, allowed {allowed:.1%})",
    )


def judge_refusals(service: str, candidate: Sample, current: Sample, thresholds: Thresholds) -> Judgement | None:
    """Return why the candidate is bad when it refuses more than is allowed and than chance explains, else None.

    What an app refuses is mostly its clients' fault: only beside the current release, which has the same clients, does
    it say anything about a release.
    """
    ours, theirs = candidate.refusing(), current.refusing()
    allowed = theirs.error_rate + thresholds.max_refusal_rate_increase
    if current.attempts < thresholds.min_requests or _is_chance(ours, theirs, allowed, is_comparable=True):
        return None
    return Judgement(
        verdict=Verdict.BAD,
        reason=f"{service}: the candidate refused {candidate.refusals} of {candidate.attempts} requests with a status "
        f"of 400 to 499 ({ours.error_rate:.1%}, current {theirs.error_rate:.1%}, allowed {allowed:.1%})",
        mend="mend the candidate; where it is meant to refuse them, `rollout.canary.max_refusal_rate_increase: 1`",
    )


def _is_chance(candidate: Sample, current: Sample, allowed: float, *, is_comparable: bool) -> bool:
    """Return whether the allowed rate, or that of two equal releases, explains the candidate's failures by chance."""
    by_chance = chance(candidate.failures, candidate.attempts, allowed)
    return by_chance > CHANCE or (chance_alike(candidate, current) if is_comparable else by_chance) > EQUAL_CHANCE


def judge_times(service: str, candidate: Times, current: Times, thresholds: Thresholds) -> Judgement | None:
    """Return why the candidate is bad when it is slower than is allowed and than chance explains, else None.

    A few answers that take seconds move a mean a lot: it is compared with what the spread of the times, of whichever
    release has the wider one, makes of means of so many requests. Where the candidate's own spread is wide because all
    of it is slow, it is slow at nearly every look; then only rounding is left.
    """
    if min(candidate.requests, current.requests) < thresholds.min_requests:
        return None
    allowed_ms = max(current.mean_ms * thresholds.max_latency_ratio, current.mean_ms + CLOCK_MS)
    slow_looks = sum(mean_ms > allowed_ms for mean_ms in candidate.looks)
    is_steady = chance(slow_looks, len(candidate.looks), 0.5) <= STEADY_CHANCE
    variance = 0.0 if is_steady else max(candidate.variance, current.variance)
    error_ms = math.sqrt(variance / candidate.requests + variance / current.requests + candidate.doubt + current.doubt)
    if candidate.mean_ms <= allowed_ms or candidate.mean_ms - current.mean_ms <= ERRORS * error_ms:
        return None
    return Judgement(
        verdict=Verdict.BAD,
        reason=f"{service}: the candidate takes {candidate.mean_ms:.0f} ms on average, current "
        f"{current.mean_ms:.0f} ms (allowed {thresholds.max_latency_ratio:g} times; by chance they differ by "
        f"{error_ms:.0f} ms)",
    )


def piece(before: Average, after: Average) -> Piece | None:
    """Return what a replica did between two looks, or None when that was nothing, or its counters began anew.

    Both averages are of all its requests, or of the last `MEMORY`: the fewer of these are new, the less is known.
    """
    requests = after.requests - before.requests
    if requests <= 0:
        return None
    reach = after.requests if after.requests <= MEMORY else requests / -math.expm1(-requests / MEMORY)
    total_ms = requests * before.mean_ms + reach * (after.mean_ms - before.mean_ms)
    return Piece(requests=requests, total_ms=total_ms, doubt=reach**2 / 6)


def times(replicas: Iterable[Sequence[Average]]) -> Times:
    """Return the times of a release from what was seen of each replica, look after look.

    How far the pieces' means lie apart shows the spread of single requests, which the edge does not tell. Rounding
    moves a replica's pieces against each other, but not their sum: only its ends count there. Replicas do much the
    same, and are rounded alike.
    """
    series = [
        [found for before, after in itertools.pairwise(seen) if (found := piece(before, after))] for seen in replicas
    ]
    pieces = [found for of_one in series for found in of_one]
    requests = sum(found.requests for found in pieces)
    if not requests:
        return Times(requests=0, mean_ms=0.0)
    mean_ms = max(0.0, sum(found.total_ms for found in pieces) / requests)
    apart = sum(((found.total_ms - found.requests * mean_ms) ** 2 - found.doubt) / found.requests for found in pieces)
    return Times(
        requests=requests,
        mean_ms=mean_ms,
        variance=max(0.0, apart / (len(pieces) - 1)) if len(pieces) > 1 else 0.0,
        doubt=(sum(max(math.sqrt(found.doubt) for found in of_one) for of_one in series if of_one) / requests) ** 2,
        looks=tuple(found.total_ms / found.requests for found in pieces),
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
        math.exp(_log_choices(attempts, count) + count * math.log(rate) + (attempts - count) * math.log1p(-rate))
        for count in range(failures)
    )
    return max(0.0, 1.0 - math.fsum(fewer))


def chance_alike(candidate: Sample, current: Sample) -> float:
    """Return how likely the candidate has so many of both releases' failures, or more, where both fail alike.

    It is the upper tail of the hypergeometric distribution (Fisher's exact test): whatever fails, fails by chance here
    or there.
    """
    ours, theirs, failures = candidate.attempts, current.attempts, candidate.failures + current.failures
    return min(
        1.0,
        math.fsum(
            math.exp(
                _log_choices(ours, count)
                + _log_choices(theirs, failures - count)
                - _log_choices(ours + theirs, failures)
            )
            for count in range(max(candidate.failures, failures - theirs), min(ours, failures) + 1)
        ),
    )


def _log_choices(total: int, chosen: int) -> float:
    """Return the logarithm of how many ways there are to choose."""
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
