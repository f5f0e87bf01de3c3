"""Figures of the comparison with the previous release: false alarms between equals, and what of +20 % is found."""

from __future__ import annotations

import itertools
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING

from infra.checks.regression import Comparison, Way, compare
from infra.domain.regression import Verdict
from infra.settings.regression import Regression, SafeRequest
from tests.bench.figure import Figure
from tests.support.jittery import Jitter, jittery

if TYPE_CHECKING:
    from collections.abc import Iterator

EQUAL_PAIRS = 40
SLOWER_PAIRS = 20
SLOWER = 1.2
REQUEST = SafeRequest(service="acp-ingest", path="/")


def measure() -> Iterator[Figure]:
    """Yield how the verdicts over pairs of real servers came out, and how long one takes."""
    seconds: list[float] = []
    equal = Counter(_verdict(1.0, seed, seconds) for seed in range(EQUAL_PAIRS))
    slower = Counter(_verdict(SLOWER, 1000 + seed, seconds) for seed in range(SLOWER_PAIRS))
    yield Figure(metric="regression_false_alarms", value=equal[Verdict.WORSE], unit="count", n=EQUAL_PAIRS)
    yield Figure(metric="regression_equal_cannot_tell", value=equal[Verdict.UNKNOWN], unit="count", n=EQUAL_PAIRS)
    yield Figure(metric="regression_found_20_percent", value=slower[Verdict.WORSE], unit="count", n=SLOWER_PAIRS)
    yield Figure(metric="regression_missed_20_percent", value=slower[Verdict.FINE], unit="count", n=SLOWER_PAIRS)
    yield Figure(metric="regression_verdict_seconds", value=statistics.median(seconds), unit="s", n=len(seconds))
    yield Figure(metric="regression_verdict_seconds_most", value=max(seconds), unit="s", n=len(seconds))


def _verdict(factor: float, seed: int, seconds: list[float]) -> Verdict:
    """Return the verdict on a server `factor` times as slow as its equal, as a rollout would find it."""
    began = time.monotonic()
    with jittery(Jitter(), factor, 1.0, seed=2 * seed) as urls:
        candidate, current = itertools.islice(urls, 2)
        way = Way(candidate_url=candidate, current_url=current)
        (judgement,) = compare([Comparison(request=REQUEST, ways=[way])], Regression())
    seconds.append(time.monotonic() - began)
    return judgement.verdict
