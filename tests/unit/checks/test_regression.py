from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.checks import regression
from infra.checks.regression import Comparison, Way, compare
from infra.domain.regression import Measured, Pair, Verdict, judge
from infra.settings.regression import Regression, SafeRequest
from tests.support.jittery import Jitter, jittery
from tests.support.web import Reply, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.domain.regression import Judgement, Limits

FAST = Jitter(floor_ms=2, usual_ms=0.5, spike_rate=0, between_spells_seconds=3600)
HEALTH = SafeRequest(service="acp-ingest", path="/health")
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


def test_a_much_slower_current_release_is_fine() -> None:
    """The comparison has a direction."""
    with jittery(FAST, 1.0, 10.0) as (candidate, current):
        assert verdict(candidate, current).verdict is Verdict.FINE


def test_time_and_pairs_are_limited() -> None:
    """Where no verdict comes, measuring ends after its budget or its pairs."""
    with jittery(FAST, 1.0, 1.0) as (candidate, current):
        strict = {"tolerated_ratio": 1.0, "max_ratio": 1.0001, "tolerated_ms": 0}
        found = verdict(candidate, current, **strict, max_pairs=20)
    assert 16 <= found.pairs <= 32


def test_both_releases_are_asked_the_same_equally_often() -> None:
    """Every request reaches both sides, in turn."""
    with (
        serving(lambda _path: Reply(body={})) as candidate,
        serving(lambda _path: Reply(body={})) as current,
    ):
        verdict(f"http://127.0.0.1:{candidate.port}", f"http://127.0.0.1:{current.port}", max_pairs=20)
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
        verdict(f"http://127.0.0.1:{candidate.port}", f"http://127.0.0.1:{current.port}", max_pairs=20)
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


def test_a_candidate_that_answers_wrong_is_worse() -> None:
    """Another status than the one that is good is a failure, however fast it comes."""
    with jittery(FAST, 1.0) as (current,), serving(lambda _path: Reply(body={}, status=500)) as broken:
        found = verdict(f"http://127.0.0.1:{broken.port}", current, max_pairs=20)
    assert found.verdict is Verdict.WORSE
    assert "errors: " in found.reason
    assert "status 500" in found.reason


def test_where_both_fail_nothing_can_be_told() -> None:
    """A request that neither release answers says nothing of the candidate."""
    found = verdict(NOWHERE, NOWHERE, max_pairs=20)
    assert found.verdict is Verdict.UNKNOWN
    assert found.reason == "only 0 pairs, as no answer (ConnectError)"


@pytest.mark.parametrize(
    ("request_", "name"),
    [(SafeRequest(service="a", path="/x"), "GET /x"), (SafeRequest(service="a", method="POST", path="/y"), "POST /y")],
)
def test_a_verdict_names_its_request(request_: SafeRequest, name: str) -> None:
    """Service, method and path are in the verdict."""
    found = verdict(NOWHERE, NOWHERE, request=request_, max_pairs=20)
    assert (found.service, found.request) == ("a", name)
