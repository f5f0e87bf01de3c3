from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from scipy import stats

from infra.checks.regression import FIRST_LOOK, limits_of
from infra.domain.regression import Interval, Limits, Measured, Pair, Verdict, confirm, interval, judge, looks_slower
from infra.settings.regression import Regression
from tests.support.jittery import Jitter

LIMITS = Limits(tolerated_ratio=1.05, tolerated_ms=2, max_ratio=1.15, max_ms=500, confidence=0.95)
PAIRS = 250


def measured(candidate: list[float], current: list[float], *, failures: tuple[int, int] = (0, 0)) -> Measured:
    """Return pairs of these times, and so many failures of either side."""
    return Measured(
        service="acp-ingest",
        request="POST /api/v1/search",
        pairs=[Pair(candidate_ms=new, current_ms=old) for new, old in zip(candidate, current, strict=True)],
        candidate_failures=["status 500"] * failures[0],
        current_failures=["status 503"] * failures[1],
    )


def steady(ms: float, *, count: int = 20) -> list[float]:
    """Return times that hardly differ."""
    return [ms + index / 1000 for index in range(count)]


def verdict_in_time(factor: float, seed: int) -> Verdict:
    """Return the verdict on a candidate `factor` times as slow, looked at as a rollout does while the pairs come."""
    chance, jitter, limits = random.Random(seed), Jitter(), limits_of(Regression())  # noqa: S311 - noise
    candidate = [factor * jitter.milliseconds(chance) for _ in range(PAIRS)]
    current = [jitter.milliseconds(chance) for _ in range(PAIRS)]
    look = FIRST_LOOK
    while look < PAIRS:
        early = judge(measured(candidate[:look], current[:look]), limits.early()).verdict
        if early is not Verdict.UNKNOWN:
            return early
        look *= 2
    return judge(measured(candidate, current), limits).verdict


def test_equals_raise_no_false_alarm_and_a_fifth_is_found() -> None:
    """Over 40 pairs of equals at most 2 are called worse, and of 20 that are 20 % slower at least 18."""
    equal = Counter(verdict_in_time(1.0, seed) for seed in range(40))
    slower = Counter(verdict_in_time(1.2, seed) for seed in range(100, 120))
    assert equal[Verdict.WORSE] <= 2
    assert slower[Verdict.WORSE] >= 18
    assert slower[Verdict.FINE] == 0


@pytest.mark.parametrize(
    ("candidate", "current", "verdict"),
    [
        pytest.param(50.0, 50.0, Verdict.FINE, id="the same"),
        pytest.param(20.0, 50.0, Verdict.FINE, id="faster"),
        pytest.param(60.0, 50.0, Verdict.WORSE, id="a fifth slower"),
        pytest.param(52.4, 50.0, Verdict.FINE, id="just within the tolerated ratio, above the milliseconds"),
        pytest.param(52.6, 50.0, Verdict.WORSE, id="just above the tolerated ratio"),
        pytest.param(3.9, 2.0, Verdict.FINE, id="twice as slow, but within the tolerated milliseconds"),
        pytest.param(4.2, 2.0, Verdict.WORSE, id="just above the tolerated milliseconds"),
        pytest.param(501.0, 501.0, Verdict.WORSE, id="above the absolute limit, as current is"),
        pytest.param(499.0, 499.0, Verdict.FINE, id="just below the absolute limit"),
    ],
)
def test_the_verdict_is_taken_from_the_limits(candidate: float, current: float, verdict: Verdict) -> None:
    """Each limit decides where it stands and nowhere else."""
    assert judge(measured(steady(candidate), steady(current)), LIMITS).verdict is verdict


def test_a_candidate_about_as_slow_as_the_limit_is_not_fine() -> None:
    """Where the limit lies within its interval it may be above it, however close to the current release it is."""
    about = [480.0, 515.0] * 6
    assert judge(measured(about, about), LIMITS).verdict is Verdict.UNKNOWN


def test_noise_that_hides_the_truth_is_said() -> None:
    """Where the interval reaches from nothing to far too slow, there is no verdict, and the interval is shown."""
    noisy = [100.0, 40.0, 90.0, 45.0, 80.0, 50.0, 130.0, 35.0] * 2
    found = judge(measured(noisy, steady(60, count=16)), LIMITS)
    assert found.verdict is Verdict.UNKNOWN
    assert found.ratio is not None
    assert found.ratio.low < 1.05
    assert found.ratio.high > 1.15
    assert str(found).startswith("cannot tell: acp-ingest POST /api/v1/search: ")


def test_too_few_pairs_give_no_verdict() -> None:
    """With five pairs no interval has 95 % confidence, however clear they look, and the reason names a failure."""
    found = judge(measured(steady(900, count=5), steady(1, count=5), failures=(1, 2)), LIMITS)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "only 5 pairs, as status 500")
    assert judge(measured(steady(900, count=6), steady(1, count=6)), LIMITS).verdict is Verdict.WORSE


@pytest.mark.parametrize(
    ("failures", "verdict"),
    [((2, 0), Verdict.FINE), ((3, 0), Verdict.WORSE), ((4, 2), Verdict.FINE), ((0, 9), Verdict.FINE)],
)
def test_a_candidate_that_fails_more_often_is_worse(failures: tuple[int, int], verdict: Verdict) -> None:
    """Three failures more than the current release's are no hiccup, whatever the times say."""
    found = judge(measured(steady(50), steady(50), failures=failures), LIMITS)
    assert found.verdict is verdict
    if verdict is Verdict.WORSE:
        assert "status 500" in found.reason


@pytest.mark.parametrize(
    ("again", "verdict"),
    [
        pytest.param(90.0, Verdict.WORSE, id="still slower"),
        pytest.param(53.5, Verdict.WORSE, id="a little slower than is tolerated"),
        pytest.param(52.0, Verdict.UNKNOWN, id="as good as the same"),
        pytest.param(50.0, Verdict.UNKNOWN, id="the same"),
        pytest.param(20.0, Verdict.FINE, id="faster, and so on the whole"),
    ],
)
def test_what_looks_worse_must_look_so_again(again: float, verdict: Verdict) -> None:
    """A hiccup of one container in the first measurement is no verdict, however clear its pairs are."""
    first = measured(steady(90), steady(50))
    assert judge(first, LIMITS).verdict is Verdict.WORSE
    found = confirm(first, measured(steady(again, count=22), steady(50, count=22)), LIMITS)
    assert found.verdict is verdict
    assert found.pairs == 42
    if verdict is Verdict.UNKNOWN:
        assert found.reason.startswith("worse for a while only: slower: +40.0 ms")


def test_all_pairs_together_must_leave_little_doubt() -> None:
    """Two measurements that agree, but leave as much doubt together as one may, are no verdict."""
    assert LIMITS.again() == replace(LIMITS, confidence=pytest.approx(0.995))
    first = measured(steady(60, count=6), steady(50, count=6))
    second = measured([*steady(60, count=5), 40.0], steady(50, count=6))
    assert judge(first + second, LIMITS).verdict is Verdict.WORSE
    assert looks_slower(judge(second, LIMITS), LIMITS)
    assert confirm(first, second, LIMITS).verdict is Verdict.UNKNOWN


def test_failures_must_be_seen_again() -> None:
    """A release that failed three requests and then none for a while is not called worse; one that goes on is."""
    first = measured(steady(50), steady(50), failures=(3, 0))
    assert confirm(first, measured(steady(50), steady(50)), LIMITS).verdict is Verdict.UNKNOWN
    found = confirm(first, measured([], [], failures=(9, 0)), LIMITS)
    assert found.verdict is Verdict.WORSE
    assert "12 answers of the candidate failed" in found.reason


def test_the_interval_is_that_of_the_signed_rank_test() -> None:
    """Shifted to either bound of the interval, the test's p-value is the doubt that was asked for."""
    chance = random.Random(7)  # noqa: S311 - noise
    values = [chance.gauss(5, 3) + chance.expovariate(1) for _ in range(60)]
    found = interval(values, 0.95)
    assert found is not None
    assert found.low < found.estimate < found.high
    for bound in (found.low, found.high):
        p = stats.wilcoxon([value - bound for value in values]).pvalue
        assert p == pytest.approx(0.05, abs=0.005)
    pairs = [(one + other) / 2 for index, one in enumerate(values) for other in values[index:]]
    assert found.estimate == pytest.approx(stats.scoreatpercentile(pairs, 50))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Over many samples of skewed differences of equals the truth lies inside about 95 times of 100."""
    chance, jitter = random.Random(11), Jitter()  # noqa: S311 - noise
    found = [
        interval([jitter.milliseconds(chance) - jitter.milliseconds(chance) for _ in range(30)], 0.95)
        for _ in range(400)
    ]
    inside = sum(one is not None and one.low <= 0 <= one.high for one in found)
    assert 0.92 <= inside / len(found) <= 0.98


def test_no_values_have_no_interval() -> None:
    """Nothing measured is nothing known."""
    assert interval([], 0.95) is None
    found = judge(measured([], []), LIMITS)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "only 0 pairs")
    assert found.to_json()["ratio"] is None


def test_an_early_look_asks_for_more() -> None:
    """What is clear at the end may not be clear enough for a look before it."""
    pairs = measured(steady(60, count=9), steady(50, count=9))
    assert LIMITS.early() == replace(LIMITS, confidence=pytest.approx(0.999))
    assert judge(pairs, LIMITS).verdict is Verdict.WORSE
    assert judge(pairs, LIMITS.early()).verdict is Verdict.UNKNOWN


def test_the_report_has_all_that_the_verdict_rests_on() -> None:
    """Verdict, reason, intervals, medians and the number of pairs are in the record."""
    found = judge(measured(steady(410), steady(10)), LIMITS).to_json()
    assert found["verdict"] == "worse"
    assert found["reason"].startswith("slower: +400.0 ms (")
    assert (found["pairs"], found["confidence"]) == (20, 0.95)
    assert found["difference_ms"] == [400.0, 400.0, 400.0]
    assert found["candidate_ms"] == pytest.approx(410.01, abs=0.01)


ABOVE, BELOW = Interval(low=0, estimate=1.07, high=2), Interval(low=0, estimate=1.04, high=2)
MUCH, LITTLE = Interval(low=0, estimate=2.1, high=9), Interval(low=0, estimate=1.9, high=9)


@pytest.mark.parametrize(
    ("verdict", "ratio", "difference", "expected"),
    [
        pytest.param(Verdict.WORSE, None, None, True, id="worse for its failures"),
        pytest.param(Verdict.WORSE, BELOW, LITTLE, True, id="worse for the absolute limit"),
        pytest.param(Verdict.FINE, ABOVE, MUCH, False, id="fine, though both estimates are above"),
        pytest.param(Verdict.UNKNOWN, ABOVE, MUCH, True, id="both estimates above"),
        pytest.param(Verdict.UNKNOWN, BELOW, MUCH, False, id="the ratio is tolerated"),
        pytest.param(Verdict.UNKNOWN, ABOVE, LITTLE, False, id="the milliseconds are tolerated"),
        pytest.param(Verdict.UNKNOWN, None, MUCH, False, id="no ratio"),
        pytest.param(Verdict.UNKNOWN, ABOVE, None, False, id="no difference"),
    ],
)
def test_what_looks_slower_is_worse_or_would_be_by_its_estimates(
    verdict: Verdict, ratio: Interval | None, difference: Interval | None, expected: bool
) -> None:
    """Only that is worth a second measurement."""
    found = replace(judge(measured([], []), LIMITS), verdict=verdict, ratio=ratio, difference_ms=difference)
    assert looks_slower(found, LIMITS) is expected
