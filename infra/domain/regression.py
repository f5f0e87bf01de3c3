"""Whether the candidate got slower: a verdict on the interval of the difference between paired measurements; pure."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

EARLY = 50  # so many times less doubt is left to a look before the end, of which there are several
AGAIN = 10  # and so many times less to all pairs of a request that was measured twice
FAILURES = 3  # so many more than the current release's are no hiccup of the way there


class Verdict(Enum):
    """What the measurements say."""

    WORSE = "worse"
    FINE = "fine"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is too slow to be taken, and what is too little to matter.

    Worse is what is slower than both tolerances allow, fine is what is not as slow as `max_ratio`, and of the two the
    interval must leave no doubt. An answer that takes longer than `max_ms` is worse whatever the current one takes.
    """

    tolerated_ratio: float
    tolerated_ms: float
    max_ratio: float
    max_ms: float
    confidence: float

    def early(self) -> Limits:
        """Return the limits for a look before the end: as there are several, each must be all the surer."""
        return self._surer(EARLY)

    def again(self) -> Limits:
        """Return the limits for the pairs of two measurements."""
        return self._surer(AGAIN)

    def _surer(self, times: int) -> Limits:
        return replace(self, confidence=1 - (1 - self.confidence) / times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same request answered by both releases, one right after the other."""

    candidate_ms: float
    current_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All pairs of one request, and the answers that failed."""

    service: str
    request: str
    pairs: Sequence[Pair]
    candidate_failures: Sequence[str] = ()
    current_failures: Sequence[str] = ()

    @property
    def more_failures(self) -> int:
        """Return how many more answers of the candidate failed than of the current release."""
        return len(self.candidate_failures) - len(self.current_failures)

    def __add__(self, later: Measured) -> Measured:
        """Return all pairs and failures of two measurements of one request."""
        return replace(
            self,
            pairs=[*self.pairs, *later.pairs],
            candidate_failures=[*self.candidate_failures, *later.candidate_failures],
            current_failures=[*self.current_failures, *later.current_failures],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and between what bounds the truth lies with the confidence asked for."""

    low: float
    estimate: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one request, why, and what it rests on; without an interval there was too little to tell."""

    service: str
    request: str
    verdict: Verdict
    reason: str
    pairs: int
    confidence: float
    difference_ms: Interval | None = None
    ratio: Interval | None = None
    candidate_ms: float | None = None
    current_ms: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as the report and the record have it."""
        return {
            "service": self.service,
            "request": self.request,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "pairs": self.pairs,
            "confidence": self.confidence,
            "candidate_ms": _rounded(self.candidate_ms, 2),
            "current_ms": _rounded(self.current_ms, 2),
            "difference_ms": _bounds(self.difference_ms, 2),
            "ratio": _bounds(self.ratio, 4),
        }

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.verdict.value}: {self.service} {self.request}: {self.reason}"


def judge(measured: Measured, limits: Limits) -> Judgement:
    """Return the verdict on one request."""
    pairs = measured.pairs
    difference = interval([pair.candidate_ms - pair.current_ms for pair in pairs], limits.confidence)
    logs = interval([math.log(pair.candidate_ms / pair.current_ms) for pair in pairs], limits.confidence)
    candidate = interval([pair.candidate_ms for pair in pairs], limits.confidence)
    ratio = logs and Interval(low=math.exp(logs.low), estimate=math.exp(logs.estimate), high=math.exp(logs.high))
    verdict, reason = _verdict(measured, limits, difference, ratio, candidate)
    return Judgement(
        service=measured.service,
        request=measured.request,
        verdict=verdict,
        reason=reason,
        pairs=len(pairs),
        confidence=limits.confidence,
        difference_ms=difference,
        ratio=ratio,
        candidate_ms=statistics.median(pair.candidate_ms for pair in pairs) if pairs else None,
        current_ms=statistics.median(pair.current_ms for pair in pairs) if pairs else None,
    )


def confirm(first: Measured, second: Measured, limits: Limits) -> Judgement:
    """Return the verdict on a request that looked slower, after it was measured again.

    A container that was busy with something else for a second looks just like a slow one, and more pairs of that second
    do not tell them apart: the second measurement, taken later, must point the same way, and all pairs together must
    leave less doubt than those of one measurement.
    """
    together, again = judge(first + second, limits), judge(second, limits)
    if together.verdict is not Verdict.WORSE:
        return together
    is_sure = judge(first + second, limits.again()).verdict is Verdict.WORSE
    if is_sure and looks_slower(again, limits):
        return together
    reason = f"worse for a while only: {judge(first, limits).reason}; then {again.reason}"
    return replace(together, verdict=Verdict.UNKNOWN, reason=reason)


def looks_slower(found: Judgement, limits: Limits) -> bool:
    """Return whether a candidate that is not fine is worse, or would be if the estimates alone counted."""
    if found.verdict is Verdict.WORSE:
        return True
    if found.verdict is Verdict.FINE or found.ratio is None or found.difference_ms is None:
        return False
    return found.ratio.estimate > limits.tolerated_ratio and found.difference_ms.estimate > limits.tolerated_ms


def _verdict(
    measured: Measured,
    limits: Limits,
    difference: Interval | None,
    ratio: Interval | None,
    candidate: Interval | None,
) -> tuple[Verdict, str]:
    """Return the verdict and its reason: errors first, then the absolute limit, then the comparison."""
    if measured.more_failures >= FAILURES:
        return Verdict.WORSE, (
            f"errors: {len(measured.candidate_failures)} answers of the candidate failed "
            f"({measured.candidate_failures[0]}), {len(measured.current_failures)} of the current release"
        )
    if difference is None or ratio is None or candidate is None:
        failures = [*measured.candidate_failures, *measured.current_failures]
        return Verdict.UNKNOWN, f"only {len(measured.pairs)} pairs{f', as {failures[0]}' if failures else ''}"
    found = (
        f"{difference.estimate:+.1f} ms ({difference.low:+.1f} to {difference.high:+.1f}), "
        f"{ratio.estimate:.2f} times the current release's time ({ratio.low:.2f} to {ratio.high:.2f}) "
        f"in {len(measured.pairs)} pairs"
    )
    if candidate.low > limits.max_ms:
        return Verdict.WORSE, f"slower than the limit of {limits.max_ms:g} ms: {candidate.estimate:.0f} ms; {found}"
    if ratio.low > limits.tolerated_ratio and difference.estimate > limits.tolerated_ms:
        return Verdict.WORSE, f"slower: {found}"
    is_close = ratio.high < limits.max_ratio or difference.high <= limits.tolerated_ms
    if is_close and candidate.high <= limits.max_ms:
        return Verdict.FINE, found
    return Verdict.UNKNOWN, found


def interval(values: Sequence[float], confidence: float) -> Interval | None:
    """Return Hodges and Lehmann's estimate of the centre with the interval of the signed-rank test.

    It takes no shape of the noise for granted but that it is symmetric, which differences of equals are, and a few
    wild values move it little. None when there are too few values for any interval with this confidence.
    """
    count = len(values)
    if 2.0 ** (1 - count) > 1 - confidence:
        return None
    averages = sorted((values[i] + values[j]) / 2 for i in range(count) for j in range(i, count))
    quantile = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    spread = quantile * math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    outside = max(0, math.floor(count * (count + 1) / 4 - spread))
    return Interval(low=averages[outside], estimate=statistics.median(averages), high=averages[-1 - outside])


def _bounds(found: Interval | None, digits: int) -> list[float] | None:
    return [round(value, digits) for value in (found.low, found.estimate, found.high)] if found else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
