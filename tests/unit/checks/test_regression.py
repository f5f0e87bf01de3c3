from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.regression import Comparison, Way, compare
from infra.domain.regression import Verdict
from infra.settings.regression import Regression, SafeRequest
from tests.support.jittery import Jitter, jittery
from tests.support.web import Reply, serving

if TYPE_CHECKING:
    from infra.domain.regression import Judgement

FAST = Jitter(floor_ms=2, usual_ms=0.5, spike_rate=0)
HEALTH = SafeRequest(service="acp-ingest", path="/health")
NOWHERE = "http://127.0.0.1:9"


def verdict(candidate: str, current: str, *, request: SafeRequest = HEALTH, **settings: Any) -> Judgement:
    """Return the verdict of a real comparison of two addresses."""
    comparison = Comparison(request=request, ways=[Way(candidate_url=candidate, current_url=current)])
    (found,) = compare([comparison], Regression.model_validate(settings))
    return found


def test_a_much_slower_candidate_is_found_early() -> None:
    """Ten times the time is worse after a few pairs; nothing more is measured than the verdict needs."""
    with jittery(FAST, 10.0, 1.0) as (candidate, current):
        found = verdict(candidate, current)
    assert found.verdict is Verdict.WORSE
    assert found.pairs < 60
    assert found.candidate_ms is not None
    assert found.current_ms is not None
    assert found.candidate_ms > found.current_ms


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
