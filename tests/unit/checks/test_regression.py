from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.checks import regression
from infra.checks.regression import Comparison, Way, compare, seconds_between_pairs
from infra.domain.regression import Measured, Pair, Verdict, judge
from infra.settings.regression import Regression, SafeRequest
from tests.support.jittery import Jitter, jittery
from tests.support.web import Reply, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from infra.domain.regression import Judgement, Limits

FAST = Jitter(floor_ms=2, usual_ms=0.5, spike_rate=0, between_spells_seconds=3600)
HEALTH = SafeRequest(service="acp-ingest", path="/health")
FEW: dict[str, Any] = {"max_pairs": 20, "budget_seconds": 1}
"""For comparisons that are about something else: just enough pairs for a verdict."""
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and think again at once: the servers here have no spells to wait for."""
    monkeypatch.setattr(regression, "FIRST_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(regression, "SECOND_THOUGHT_SECONDS", 0.0)


def verdict(candidate: str, current: str, *, request: SafeRequest = HEALTH, **settings: Any) -> Judgement:
    """Return the verdict of a real comparison of two addresses."""
    comparison = Comparison(request=request, ways=[Way(candidate_url=candidate, current_url=current)])
    (found,) = compare([comparison], Regression.model_validate(settings))
    return found


def test_a_much_slower_candidate_is_found_early() -> None:
    """Ten times the time is worse after a few pairs, measured twice; no more is measured than the verdict needs."""
    with jittery(FAST, 10.0, 1.0) as (candidate, current):
        found = verdict(candidate, current)
    assert found.verdict is Verdict.WORSE
    assert 32 <= found.pairs < 120
    assert found.candidate_ms is not None
    assert found.current_ms is not None
    assert found.candidate_ms > found.current_ms


@pytest.mark.parametrize(
    ("times", "measurements", "expected"),
    [
        pytest.param([10.0], 1, Verdict.FINE, id="fine at once"),
        pytest.param([90.0, 90.0], 2, Verdict.WORSE, id="worse twice"),
        pytest.param([90.0, 10.0], 2, Verdict.UNKNOWN, id="worse for a while"),
    ],
)
def test_what_looks_worse_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, times: list[float], measurements: int, expected: Verdict
) -> None:
    """Only what is worse both times is called worse; what is fine is not measured twice."""
    done: list[float] = []

    async def measure(run: Any) -> Measured:
        done.append(times[len(done)])
        pairs = [Pair(candidate_ms=done[-1] + index / 1000, current_ms=10) for index in range(20)]
        return Measured(service="acp-ingest", request=str(run.comparison.request), pairs=pairs)

    monkeypatch.setattr(regression._Run, "measure", measure)
    assert verdict(NOWHERE, NOWHERE).verdict is expected
    assert len(done) == measurements


@pytest.mark.parametrize(("failures", "is_over"), [(0, True), (1, False), (2, False), (3, True)])
def test_a_candidate_that_failed_is_not_fine_at_the_first_look(failures: int, is_over: bool) -> None:
    """A failure among the first pairs may be the first of many: only all of the pairs, or more failures, decide."""
    run = regression._Run(
        client=cast("httpx.AsyncClient", None),
        comparison=Comparison(request=HEALTH, ways=[]),
        settings=Regression(),
        pairs=[Pair(candidate_ms=10, current_ms=10) for _ in range(40)],
        candidate_failures=["status 500"] * failures,
    )
    assert run._is_done() is is_over


def test_a_much_slower_current_release_is_fine() -> None:
    """The comparison has a direction."""
    with jittery(FAST, 1.0, 10.0) as (candidate, current):
        assert verdict(candidate, current).verdict is Verdict.FINE


def test_time_and_pairs_are_limited() -> None:
    """Where no verdict comes, measuring ends after its pairs, once or (for what looks slower) twice as many again."""
    with jittery(FAST, 1.0, 1.0) as (candidate, current):
        strict = {"tolerated_ratio": 1.0, "max_ratio": 1.0001, "tolerated_ms": 0}
        found = verdict(candidate, current, **strict, **FEW)
    assert 16 <= found.pairs <= 20 + 40 + 4 * regression.LANES


def test_both_releases_are_asked_the_same_equally_often() -> None:
    """Every request reaches both sides, in turn."""
    with (
        serving(lambda _path: Reply(body={})) as candidate,
        serving(lambda _path: Reply(body={})) as current,
    ):
        verdict(f"http://127.0.0.1:{candidate.port}", f"http://127.0.0.1:{current.port}", **FEW)
    assert {path for path, _ in candidate.asked + current.asked} == {"/health"}
    assert len(candidate.asked) == len(current.asked)


def test_who_is_asked_first_changes_from_pair_to_pair() -> None:
    """Otherwise what the first answer warms up would always favour the second."""
    order: list[str] = []

    def noting(name: str) -> Callable[[str], Reply]:
        def answer(_path: str) -> Reply:
            order.append(name)
            return Reply(body={})

        return answer

    with serving(noting("candidate")) as candidate, serving(noting("current")) as current:
        verdict(f"http://127.0.0.1:{candidate.port}", f"http://127.0.0.1:{current.port}", **FEW)
    assert 0.25 < order[: regression.LANES].count("candidate") / regression.LANES < 0.75


def test_looks_before_the_end_are_surer(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it measures the stricter limits decide, at the end those of the stack."""
    confidences: list[float] = []

    def judge_and_note(measured: Measured, limits: Limits) -> Judgement:
        confidences.append(limits.confidence)
        return judge(measured, limits)

    monkeypatch.setattr(regression, "judge", judge_and_note)
    with jittery(FAST, 1.0, 10.0) as (candidate, current):
        verdict(candidate, current)
    assert confidences[:-1] == [pytest.approx(0.999)] * (len(confidences) - 1)
    assert len(confidences) > 1
    assert confidences[-1] == 0.95


@pytest.mark.parametrize(("warm_up_seconds", "pairs"), [(0.0, 1), (60.0, regression.WARM_UP_PAIRS)])
def test_the_first_pairs_of_a_lane_do_not_count(
    monkeypatch: pytest.MonkeyPatch, warm_up_seconds: float, pairs: int
) -> None:
    """Some pairs warm both releases up, fewer where answers are slow."""
    monkeypatch.setattr(regression, "WARM_UP_SECONDS", warm_up_seconds)
    monkeypatch.setattr(regression, "looks_slower", lambda *_: False)
    with serving(lambda _path: Reply(body={})) as both:
        found = verdict(f"http://127.0.0.1:{both.port}", f"http://127.0.0.1:{both.port}", **FEW)
    assert len(both.asked) == 2 * (found.pairs + regression.LANES * pairs)


@pytest.mark.parametrize(
    ("first_look_seconds", "looks"), [(0.0, [16, 32, 64]), (60.0, [])], ids=["when doubled", "not too early"]
)
def test_it_looks_whenever_the_pairs_have_doubled(
    monkeypatch: pytest.MonkeyPatch, unclear: list[int], first_look_seconds: float, looks: list[int]
) -> None:
    """Looks at the verdict are few, as each may be wrong, and go on while it is unclear."""
    monkeypatch.setattr(regression, "FIRST_LOOK_SECONDS", first_look_seconds)
    monkeypatch.setattr(regression, "SPREAD", 0.05)
    with serving(lambda _path: Reply(body={})) as both:
        # All the time that a busy machine may need, of which a usual one takes a twentieth.
        verdict(f"http://127.0.0.1:{both.port}", f"http://127.0.0.1:{both.port}", max_pairs=100, budget_seconds=30)
    *early, last = unclear
    assert last >= 100
    assert early == [pytest.approx(pairs, abs=2 * regression.LANES) for pairs in looks]
    assert all(pairs >= wanted for pairs, wanted in zip(early, looks, strict=True))


@pytest.fixture
def unclear(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let no verdict ever be clear; return with how many pairs it was looked at."""
    looked: list[int] = []

    def judge_nothing(found: Measured, limits: Limits) -> Judgement:
        looked.append(len(found.pairs))
        return judge(Measured(service=found.service, request=found.request, pairs=[]), limits)

    monkeypatch.setattr(regression, "judge", judge_nothing)
    return looked


@pytest.mark.parametrize(
    ("pair_seconds", "pairs"),
    [
        pytest.param(0.1, 100, id="the budget ends it"),
        pytest.param(1.5, 22, id="slow answers are waited for beyond the budget"),
        pytest.param(4.0, 10, id="but not for ever"),
    ],
)
@pytest.mark.usefixtures("unclear")
def test_measuring_ends_with_its_budget(monkeypatch: pytest.MonkeyPatch, pair_seconds: float, pairs: int) -> None:
    """Within a budget of ten seconds there are pairs enough for a verdict, or up to four budgets are spent on them."""
    monkeypatch.setattr(regression, "WARM_UP_SECONDS", 0.0)
    with serving(lambda _path: Reply(body={})) as candidate, serving(lambda _path: Reply(body={})) as current:
        began = time.monotonic()
        monkeypatch.setattr(
            regression,
            "time",
            SimpleNamespace(
                monotonic=lambda: began + len(candidate.asked) * pair_seconds, perf_counter=time.perf_counter
            ),
        )
        addresses = [f"http://127.0.0.1:{web.port}" for web in (candidate, current)]
        verdict(*addresses, max_pairs=1000, budget_seconds=10)
    assert pairs <= len(candidate.asked) < pairs + 2 * regression.LANES


@pytest.mark.parametrize(
    ("max_pairs", "gently", "usually"),
    [
        pytest.param(1000, 0.009, 0.00225, id="many: a quarter of the pace"),
        pytest.param(75, 0.0625, 0.03, id="enough for the first look in its second"),
        pytest.param(20, 0.1125, 0.1125, id="few: never slower than usual for it"),
    ],
)
def test_it_begins_gently(monkeypatch: pytest.MonkeyPatch, max_pairs: int, gently: float, usually: float) -> None:
    """Up to the first look the pairs are as far apart as that look allows, and all of them still fit the budget."""
    monkeypatch.setattr(regression, "FIRST_LOOK_SECONDS", 1.0)
    settings = Regression(max_pairs=max_pairs, budget_seconds=3)
    assert seconds_between_pairs(settings, gently=True) == pytest.approx(gently)
    assert seconds_between_pairs(settings, gently=False) == pytest.approx(usually)


@pytest.mark.usefixtures("unclear")
def test_the_pairs_are_spread_over_the_budget() -> None:
    """However fast the answers come: the current release has its users to answer, too."""
    with serving(lambda _path: Reply(body={})) as both:
        address = f"http://127.0.0.1:{both.port}"
        began = time.monotonic()
        verdict(address, address, max_pairs=100, budget_seconds=1)
    assert time.monotonic() - began >= 0.9 * regression.SPREAD


def test_pairs_are_answered_by_both() -> None:
    """An answer of the candidate alone compares with nothing."""
    with jittery(FAST, 1.0) as (candidate,):
        found = verdict(candidate, NOWHERE, **FEW)
    assert (found.verdict, found.pairs) == (Verdict.UNKNOWN, 0)


def test_a_candidate_that_answers_wrong_is_worse() -> None:
    """Another status than the one that is good is a failure, however fast it comes."""
    with jittery(FAST, 1.0) as (current,), serving(lambda _path: Reply(body={}, status=500)) as broken:
        found = verdict(f"http://127.0.0.1:{broken.port}", current, **FEW)
    assert found.verdict is Verdict.WORSE
    assert "errors: " in found.reason
    assert "status 500" in found.reason


def test_where_both_fail_nothing_can_be_told() -> None:
    """A request that neither release answers says nothing of the candidate."""
    found = verdict(NOWHERE, NOWHERE, **FEW)
    assert found.verdict is Verdict.UNKNOWN
    assert found.reason == "only 0 pairs, as no answer (ConnectError)"


@pytest.mark.parametrize(
    ("request_", "name"),
    [(SafeRequest(service="a", path="/x"), "GET /x"), (SafeRequest(service="a", method="POST", path="/y"), "POST /y")],
)
def test_a_verdict_names_its_request(request_: SafeRequest, name: str) -> None:
    """Service, method and path are in the verdict."""
    found = verdict(NOWHERE, NOWHERE, request=request_, **FEW)
    assert (found.service, found.request) == ("a", name)
