from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.domain.canary import Sample, Thresholds, Verdict, chance, judge, judge_waiting, merge, sample

THRESHOLDS = Thresholds(min_requests=50, max_error_rate_increase=0.01, max_latency_ratio=1.5)
SAMPLES = st.builds(
    Sample,
    requests=st.integers(0, 10_000),
    failures=st.integers(0, 10_000),
    mean_ms=st.floats(0, 10_000),
)


def seen(requests: int, failures: int = 0, mean_ms: float = 10.0, *, waiting: int = 0) -> Sample:
    """Return what a release did."""
    return Sample(requests=requests, failures=failures, mean_ms=mean_ms, waiting=waiting)


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
        pytest.param(seen(100, 10), seen(100, 4), Verdict.BAD, id="worse than current plus the allowance"),
        pytest.param(seen(5000, 75), seen(9000), Verdict.BAD, id="a little worse, often enough to be sure"),
        pytest.param(seen(100, 60), seen(100, 99), Verdict.GOOD, id="nothing is worse than a release that only fails"),
        pytest.param(seen(10, 1), seen(900), Verdict.INSUFFICIENT, id="one failure of few is no verdict"),
        pytest.param(seen(10, 2), seen(900), Verdict.BAD, id="two failures of few are enough"),
        pytest.param(seen(0, 3), seen(900), Verdict.BAD, id="every attempt redispatched"),
        pytest.param(seen(100, 0, 15.0), seen(900), Verdict.GOOD, id="exactly the allowed latency"),
        pytest.param(seen(100, 0, 15.1), seen(900), Verdict.BAD, id="slower than allowed"),
        pytest.param(seen(100, 0, 2.0), seen(900, 0, 0.0), Verdict.GOOD, id="within what the edge's clock tells apart"),
        pytest.param(seen(100, 0, 2.1), seen(900, 0, 0.0), Verdict.BAD, id="more than the edge's clock tells apart"),
        pytest.param(seen(100, 0, 99.0), seen(49), Verdict.GOOD, id="no latency of current to compare with"),
        pytest.param(seen(100, 0, 99.0), seen(50), Verdict.BAD, id="just enough of current to compare with"),
    ],
)
def test_verdicts(candidate: Sample, current: Sample, verdict: Verdict) -> None:
    """Error rate and latency are judged against the current release at the same time, at each boundary."""
    assert judge("acp-ingest", candidate, current, THRESHOLDS).verdict is verdict


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


def test_reasons_have_the_figures() -> None:
    """A reason names service, figures and what was allowed."""
    assert judge("acp-ingest", seen(100, 6), seen(900, 9), THRESHOLDS).reason == (
        "acp-ingest: 6 of 100 requests failed on the candidate (6.0%, current 1.0%, allowed 2.0%)"
    )
    assert judge("acp-ingest", seen(7), seen(900), THRESHOLDS).reason == (
        "acp-ingest: 7 requests on the candidate, a verdict needs 50"
    )
    assert judge("acp-ingest", seen(100, 0, 40), seen(900), THRESHOLDS).reason == (
        "acp-ingest: the candidate takes 40 ms on average, current 10 ms (allowed 1.5 times)"
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
    before = {"requests": 100, "failures": 3, "time_ms_average": 9}
    after = {"requests": 160, "failures": 5, "time_ms_average": 12, "sessions": 4}
    assert sample(before, after) == Sample(requests=60, failures=2, mean_ms=12.0, waiting=4)
    assert sample({}, after) == Sample(requests=160, failures=5, mean_ms=12.0, waiting=4)
    assert sample({}, {}) == Sample(requests=0, failures=0, mean_ms=0.0)


def test_hosts_are_merged_by_their_requests() -> None:
    """A busy host weighs more in the mean latency than an idle one."""
    both = merge([seen(90, 1, 10, waiting=1), seen(10, 2, 110, waiting=3)])
    assert both == Sample(requests=100, failures=3, mean_ms=20.0, waiting=4)
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
