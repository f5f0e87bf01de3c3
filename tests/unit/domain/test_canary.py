from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.domain.canary import (
    MEMORY,
    Average,
    Piece,
    Sample,
    Thresholds,
    Times,
    Verdict,
    chance,
    chance_alike,
    judge,
    judge_times,
    judge_waiting,
    merge,
    piece,
    sample,
    times,
)

THRESHOLDS = Thresholds(
    min_requests=50, max_error_rate_increase=0.01, max_latency_ratio=1.5, max_refusal_rate_increase=0.05
)
SAMPLES = st.builds(
    Sample,
    requests=st.integers(0, 10_000),
    failures=st.integers(0, 10_000),
    mean_ms=st.floats(0, 10_000),
)


def seen(requests: int, failures: int = 0, mean_ms: float = 10.0, *, waiting: int = 0, refusals: int = 0) -> Sample:
    """Return what a release did."""
    return Sample(requests=requests, failures=failures, mean_ms=mean_ms, waiting=waiting, refusals=refusals)


@pytest.mark.parametrize(
    ("candidate", "current", "verdict"),
    [
        pytest.param(seen(100), seen(900), Verdict.GOOD, id="no failures"),
        pytest.param(seen(50), seen(900), Verdict.GOOD, id="just enough requests"),
        pytest.param(seen(49), seen(900), Verdict.INSUFFICIENT, id="one request too few"),
        pytest.param(seen(0), seen(900), Verdict.INSUFFICIENT, id="no traffic is no success"),
        pytest.param(seen(100, 1), seen(900), Verdict.GOOD, id="exactly the allowed error rate"),
        pytest.param(
            seen(100, 3), seen(900), Verdict.GOOD, id="more than the allowed error rate, as chance may have it"
        ),
        pytest.param(
            seen(100, 4), seen(900), Verdict.BAD, id="more than the allowed error rate, and than chance explains"
        ),
        pytest.param(seen(50, 1), seen(900), Verdict.GOOD, id="one failure of just enough requests"),
        pytest.param(seen(50, 3), seen(900), Verdict.BAD, id="three failures of just enough requests"),
        pytest.param(seen(100, 9), seen(100, 4), Verdict.GOOD, id="about as bad as current plus the allowance"),
        pytest.param(seen(100, 10), seen(100, 4), Verdict.GOOD, id="both fail often, and by chance it more often"),
        pytest.param(seen(100, 18), seen(100, 4), Verdict.BAD, id="worse than current plus the allowance"),
        pytest.param(seen(3, 1), seen(30), Verdict.INSUFFICIENT, id="one of a few, and little of current"),
        pytest.param(seen(60, 3), seen(49), Verdict.GOOD, id="too little of current to be sure of three"),
        pytest.param(seen(60, 5), seen(49), Verdict.BAD, id="too many for the allowed rate alone"),
        pytest.param(seen(60, 60), seen(1), Verdict.BAD, id="all, and nearly nothing of current"),
        pytest.param(seen(60, 5), seen(60), Verdict.GOOD, id="five to none, as chance may have it between equals"),
        pytest.param(seen(60, 9), seen(60), Verdict.BAD, id="nine to none"),
        pytest.param(seen(5000, 75), seen(9000), Verdict.BAD, id="a little worse, often enough to be sure"),
        pytest.param(seen(100, 60), seen(100, 99), Verdict.GOOD, id="nothing is worse than a release that only fails"),
        pytest.param(seen(10, 1), seen(900), Verdict.INSUFFICIENT, id="one failure of few is no verdict"),
        pytest.param(seen(10, 2), seen(900), Verdict.BAD, id="two failures of few are enough"),
        pytest.param(seen(0, 3), seen(900), Verdict.BAD, id="every attempt redispatched"),
        pytest.param(seen(100, refusals=9), seen(900), Verdict.GOOD, id="refuses more, as chance may have it"),
        pytest.param(seen(100, refusals=10), seen(900), Verdict.BAD, id="refuses more than is allowed, and chance is"),
        pytest.param(seen(100, refusals=30), seen(900, refusals=270), Verdict.GOOD, id="both refuse alike"),
        pytest.param(seen(60, refusals=15), seen(60, refusals=6), Verdict.GOOD, id="refuses more, as equals may"),
        pytest.param(seen(100, refusals=60), seen(900, refusals=270), Verdict.BAD, id="refuses twice as often"),
        pytest.param(seen(100, refusals=100), seen(49), Verdict.GOOD, id="nobody to compare its refusals with"),
        pytest.param(seen(100, refusals=100), seen(50), Verdict.BAD, id="just enough of current to compare with"),
        pytest.param(seen(20, refusals=20), seen(900), Verdict.BAD, id="refuses all of a few"),
        pytest.param(seen(100), seen(900, refusals=900), Verdict.GOOD, id="refuses nothing any more"),
    ],
)
def test_verdicts(candidate: Sample, current: Sample, verdict: Verdict) -> None:
    """The error rate is judged against the current release at the same time, at each boundary."""
    assert judge("acp-ingest", candidate, current, THRESHOLDS).verdict is verdict


def took(
    mean_ms: float, requests: int = 900, *, spread_ms: float = 0.0, doubt: float = 0.0, looks: tuple[float, ...] = ()
) -> Times:
    """Return how long requests took, with so wide a spread."""
    return Times(requests=requests, mean_ms=mean_ms, variance=spread_ms**2, doubt=doubt, looks=looks)


@pytest.mark.parametrize(
    ("candidate", "current", "is_bad"),
    [
        pytest.param(took(15.0, 100), took(10), False, id="exactly the allowed time"),
        pytest.param(took(15.1, 100), took(10), True, id="slower than allowed"),
        pytest.param(took(2.0), took(0.0), False, id="within what the edge's clock tells apart"),
        pytest.param(took(2.1), took(0.0), True, id="more than the edge's clock tells apart"),
        pytest.param(took(99.0), took(10, 49), False, id="no times of current to compare with"),
        pytest.param(took(99.0), took(10, 50), True, id="just enough of current to compare with"),
        pytest.param(took(99.0, 49), took(10), False, id="too few of the candidate"),
        pytest.param(took(99.0, 50), took(10), True, id="just enough of the candidate"),
        # 90 ms and two standard errors, each of which is 1/3 of a tenth of the spread.
        pytest.param(took(100, spread_ms=955), took(10), False, id="a spread that explains it"),
        pytest.param(took(100, spread_ms=954), took(10), True, id="a spread that nearly explains it"),
        pytest.param(took(100), took(10, spread_ms=955), False, id="current's spread explains it, too"),
        pytest.param(
            took(100, spread_ms=955, looks=(100, 16, 16, 16, 16, 16, 15)),
            took(10),
            False,
            id="slow at nearly every look",
        ),
        pytest.param(took(100, spread_ms=955, looks=(100, 16, 16, 16, 16, 16, 16)), took(10), True, id="at every look"),
        pytest.param(took(12.5, looks=(16,) * 20), took(8, doubt=2), True, id="at every look, and rounding nearly is"),
        pytest.param(took(12.5, looks=(16,) * 20), took(8, doubt=6), False, id="at every look, and rounding is it"),
        pytest.param(took(15, looks=(16,) * 20), took(10), False, id="the mean is allowed, whatever the looks say"),
        pytest.param(took(100, doubt=2024), took(10), True, id="rounding nearly explains it"),
        pytest.param(took(100, doubt=1000), took(10, doubt=1026), False, id="both roundings explain it"),
    ],
)
def test_slow_candidates(candidate: Times, current: Times, is_bad: bool) -> None:
    """A candidate is slow when it takes longer than is allowed, and than chance makes of a few answers."""
    found = judge_times("acp-ingest", candidate, current, THRESHOLDS)
    assert (found is not None) is is_bad
    assert found is None or found.verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param((0, 0), (10, 7), Piece(requests=10, total_ms=70, doubt=100 / 6), id="from the beginning"),
        pytest.param((10, 10), (20, 15), Piece(requests=10, total_ms=200, doubt=400 / 6), id="the mean of both halves"),
        pytest.param((10, 10), (10, 10), None, id="nobody asked"),
        pytest.param((10, 10), (4, 90), None, id="the counters began anew"),
    ],
)
def test_pieces(before: tuple[int, float], after: tuple[int, float], expected: Piece | None) -> None:
    """What came from one look to the next is worked out of the means of all requests before and after."""
    assert piece(_average(*before), _average(*after)) == expected


def test_a_piece_of_a_long_time() -> None:
    """The edge's averages forget what is long ago: each request counts for one of 1,024."""
    mean = 10.0
    for _ in range(100):
        mean += (50 - mean) / MEMORY
    found = piece(_average(5000, 10), _average(5100, mean))
    assert found is not None
    assert found.total_ms == pytest.approx(5000, rel=0.001)
    assert found.doubt == pytest.approx((MEMORY + 50) ** 2 / 6, rel=0.01)


def _average(requests: int, mean_ms: float) -> Average:
    return Average(requests=requests, mean_ms=mean_ms)


def test_times_have_the_spread_of_their_pieces() -> None:
    """Two replicas: pieces of 100 requests whose means are 10 and 30 ms, less what rounding makes of them."""
    calm = [_average(0, 0), _average(100, 10)]
    busy = [_average(0, 0), _average(100, 30), _average(100, 30)]
    found = times([calm, busy, [_average(7, 7)], []])
    assert (found.requests, found.mean_ms) == (200, 20)
    assert found.variance == pytest.approx(100 * 10**2 * 2 - 2 * 100 / 6)
    assert found.doubt == pytest.approx(1 / 6)
    assert times([]) == Times(requests=0, mean_ms=0.0)
    assert times([calm]).variance == 0
    assert times([calm, calm]).variance == 0


def test_rounding_counts_once_for_a_replica() -> None:
    """Where a mean was rounded up at one look, the next piece has as much less: only its ends are uncertain."""
    rounded = [_average(0, 0), _average(100, 10), _average(200, 11), _average(300, 11)]
    found = times([rounded])
    assert (found.requests, found.mean_ms) == (300, 11)
    assert found.doubt == pytest.approx(1 / 6)
    # Means of 10, 12 and 11 ms; rounding makes 6, 26 and 58 ms apart of them in a row of a hundred requests.
    assert found.variance == 0


@given(st.lists(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 5000)), max_size=6), max_size=4))
def test_what_every_replica_took_is_found_again(replicas: list[list[tuple[int, int]]]) -> None:
    """As long as the averages are of all requests, the mean of the pieces is that of all of them."""
    seen, requests, total_ms = [], 0, 0.0
    for told in replicas:
        averages, count, own_ms = [Average()], 0, 0.0
        for more, mean_ms in told:
            if count + more > MEMORY:
                break
            count, own_ms = count + more, own_ms + more * mean_ms
            averages.append(Average(requests=count, mean_ms=own_ms / count if count else 0.0))
        seen.append(averages)
        requests, total_ms = requests + count, total_ms + own_ms
    found = times(seen)
    assert found.requests == requests
    assert found.mean_ms == pytest.approx(total_ms / requests if requests else 0, abs=1e-6)
    assert found.variance >= 0
    assert found.doubt >= 0


def test_a_few_slow_answers_are_chance() -> None:
    """Three in a hundred answers take seconds: means differ by half and more. A candidate that is all slow shows."""
    fair = random.Random(1)  # noqa: S311 - the same numbers every time

    def averages(looks: int, requests: int, factor: float = 1.0) -> list[Average]:
        seen, count, total_ms = [Average()], 0, 0.0
        for _ in range(looks):
            answers = [5.0 if fair.random() < 0.97 else fair.uniform(100, 3000) for _ in range(requests)]
            count, total_ms = count + requests, total_ms + factor * sum(answers)
            seen.append(Average(requests=count, mean_ms=math.ceil(total_ms / count)))
        return seen

    def slow(factor: float) -> list[bool]:
        return [
            judge_times("s", times([averages(10, 6, factor)]), times([averages(10, 50)]), THRESHOLDS) is not None
            for _ in range(300)
        ]

    assert sum(slow(1.0)) <= 6
    assert sum(slow(20.0)) >= 200


@pytest.mark.parametrize(
    ("candidate", "current", "is_bad"),
    [
        pytest.param(seen(100), seen(900), False, id="all have their answer"),
        pytest.param(seen(100, waiting=9), seen(900), False, id="some patient clients"),
        pytest.param(seen(100, waiting=10), seen(900), True, id="more than a few"),
        pytest.param(seen(100, waiting=10), seen(900, mean_ms=400), False, id="as slow as current may be"),
        pytest.param(seen(100, waiting=30), seen(900, waiting=180), False, id="current's wait for as long"),
        pytest.param(seen(100, waiting=60), seen(900, waiting=180), True, id="far more than of current's"),
        pytest.param(seen(10, waiting=40), seen(900), True, id="from an earlier step"),
        pytest.param(seen(0, waiting=40), seen(0), True, id="nobody else was asked"),
        pytest.param(seen(100, waiting=100), seen(100, waiting=100), False, id="nobody has an answer"),
    ],
)
def test_what_is_never_answered(candidate: Sample, current: Sample, is_bad: bool) -> None:
    """More requests wait for the candidate than current's durations and chance explain, over ten seconds."""
    found = judge_waiting("acp-ingest", candidate, current, THRESHOLDS, seconds=10.0)
    assert (found is not None) is is_bad
    if found is not None:
        assert found.verdict is Verdict.BAD
        assert f"{candidate.waiting} of " in found.reason
        assert ("(current " in found.reason) is (current.attempts > 0)


def test_reasons_have_the_figures() -> None:
    """A reason names service, figures and what was allowed."""
    assert judge("acp-ingest", seen(100, 8), seen(900, 9), THRESHOLDS).reason == (
        "acp-ingest: 8 of 100 requests failed on the candidate (8.0%, current 1.0%, allowed 2.0%)"
    )
    assert judge("acp-ingest", seen(7), seen(900), THRESHOLDS).reason == (
        "acp-ingest: 7 requests on the candidate, a verdict needs 50"
    )
    assert judge("acp-ingest", seen(100, refusals=50), seen(900, refusals=9), THRESHOLDS).reason == (
        "acp-ingest: the candidate refused 50 of 100 requests with a status of 400 to 499 "
        "(50.0%, current 1.0%, allowed 6.0%)"
    )
    slow = judge_times("acp-ingest", took(40, spread_ms=30), took(10), THRESHOLDS)
    assert slow is not None
    assert slow.reason == (
        "acp-ingest: the candidate takes 40 ms on average, current 10 ms (allowed 1.5 times; by chance they differ by "
        "1 ms)"
    )
    assert judge("acp-ingest", seen(100), seen(900), THRESHOLDS).reason == (
        "acp-ingest: 100 requests, 0 failed, 10 ms on average"
    )


@pytest.mark.parametrize(
    ("failures", "attempts", "rate", "expected"),
    [
        (0, 50, 0.01, 1.0),
        (1, 50, 0.01, 0.3950),
        (2, 2, 0.5, 0.25),
        (1, 10, 0.0, 0.0),
        (0, 10, 0.0, 1.0),
        (9, 9, 1.0, 1.0),
    ],
)
def test_chance(failures: int, attempts: int, rate: float, expected: float) -> None:
    """The upper tail of the binomial distribution: 1 - 0.99 ** 50 for one or more of fifty at one percent."""
    assert chance(failures, attempts, rate) == pytest.approx(expected, abs=1e-4)


def test_chance_of_very_many() -> None:
    """No number of requests is too large for it."""
    assert chance(10_000, 1_000_000, 0.01) == pytest.approx(0.5, abs=0.01)
    assert chance(10_500, 1_000_000, 0.01) < 1e-5


@pytest.mark.parametrize(
    ("candidate", "current", "expected"),
    [
        (seen(50, 0), seen(50, 0), 1.0),
        (seen(50, 0), seen(50, 3), 1.0),
        (seen(50, 1), seen(50, 0), 0.5),
        (seen(10, 2), seen(90, 0), 45 / 4950),
        (seen(3, 3), seen(3, 1), 0.2),
        (seen(3, 2), seen(3, 1), 0.5),
        (seen(2, 2), seen(3, 3), 1.0),
        (seen(5, 5), seen(0, 0), 1.0),
    ],
)
def test_chance_of_releases_that_fail_alike(candidate: Sample, current: Sample, expected: float) -> None:
    """The upper tail of the hypergeometric distribution: one of one failure is here or there."""
    assert chance_alike(candidate, current) == pytest.approx(expected)


def test_equal_releases_are_hardly_ever_told_apart() -> None:
    """Whatever the rate at which both fail, of five steps' verdicts hardly one in a hundred is wrong."""
    fair = random.Random(2)  # noqa: S311 - the same numbers every time
    for rate in (0.001, 0.01, 0.05, 0.2):
        bad = sum(
            judge("s", seen(60, _failing(fair, 60, rate)), seen(140, _failing(fair, 140, rate)), THRESHOLDS).verdict
            is Verdict.BAD
            for _ in range(500)
        )
        assert bad <= 3, rate


def _failing(fair: random.Random, requests: int, rate: float) -> int:
    return sum(fair.random() < rate for _ in range(requests))


@given(SAMPLES, SAMPLES)
def test_too_little_is_never_good(candidate: Sample, current: Sample) -> None:
    """Whatever else is true, fewer requests than the minimum never pass."""
    if candidate.requests < THRESHOLDS.min_requests:
        assert judge("s", candidate, current, THRESHOLDS).verdict is not Verdict.GOOD


@given(SAMPLES, SAMPLES, st.integers(1, 1_000))
def test_more_failures_never_make_a_verdict_better(candidate: Sample, current: Sample, more: int) -> None:
    """What is bad stays bad when the candidate fails more often."""
    worse = Sample(requests=candidate.requests, failures=candidate.failures + more, mean_ms=candidate.mean_ms)
    if judge("s", candidate, current, THRESHOLDS).verdict is Verdict.BAD:
        assert judge("s", worse, current, THRESHOLDS).verdict is Verdict.BAD


@given(SAMPLES)
def test_a_rate_is_between_0_and_1(found: Sample) -> None:
    """Redispatched failures, counted where they failed, never give more than 100 %."""
    assert 0 <= found.error_rate <= 1


def test_a_sample_is_what_happened_between_two_readings() -> None:
    """Counters are differences; a release that was not there before counts from zero."""
    before = {"requests": 100, "failures": 3, "time_ms_average": 9, "http_4xx": 6}
    after = {"requests": 160, "failures": 5, "time_ms_average": 12, "sessions": 4, "http_4xx": 7}
    assert sample(before, after) == Sample(requests=60, failures=2, mean_ms=12.0, waiting=4, refusals=1)
    assert sample({}, after) == Sample(requests=160, failures=5, mean_ms=12.0, waiting=4, refusals=7)
    assert sample({}, {}) == Sample(requests=0, failures=0, mean_ms=0.0)


def test_hosts_are_merged_by_their_requests() -> None:
    """A busy host weighs more in the mean latency than an idle one."""
    both = merge([seen(90, 1, 10, waiting=1, refusals=5), seen(10, 2, 110, waiting=3, refusals=6)])
    assert both == Sample(requests=100, failures=3, mean_ms=20.0, waiting=4, refusals=11)
    assert merge([]) == Sample(requests=0, failures=0, mean_ms=0.0)


@given(st.lists(SAMPLES, min_size=1, max_size=5))
def test_a_merged_mean_lies_between_the_means(samples: list[Sample]) -> None:
    """Merging neither invents nor loses requests, failures or latency."""
    merged = merge(samples)
    assert merged.requests == sum(s.requests for s in samples)
    assert merged.failures == sum(s.failures for s in samples)
    if merged.requests:
        busy = [s.mean_ms for s in samples if s.requests]
        assert min(busy) - 1e-6 <= merged.mean_ms <= max(busy) + 1e-6
