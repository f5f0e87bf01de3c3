from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.domain.certificate import Answer, Hiccup, certify, merged, once_served, overlap

if TYPE_CHECKING:
    from infra.domain.certificate import Blame


def answer(at: float, *, milliseconds: float = 10, lost: str | None = None, release: str | None = "v1-0") -> Answer:
    """Return one request's fate."""
    return Answer(name="search", at=at, milliseconds=milliseconds, release=release, lost=lost)


def test_a_certificate_counts_what_was_lost_and_why() -> None:
    """Sent, failed and the reasons are counted; a lost request has no release."""
    answers = [answer(1), answer(2, lost="status 503", release=None), answer(2.5, release=None)]
    found = certify([*answers, answer(3, release="v2-0")])
    assert (found.sent, found.failed) == (4, 1)
    assert found.by_release == {"v1-0": 1, "unknown": 1, "v2-0": 1}
    assert found.reasons == {"search: status 503": 1}
    assert (found.started_at, found.ended_at) == (1, 3)


def test_the_gap_is_the_longest_time_without_a_good_answer() -> None:
    """Lost answers do not end a gap, and the order in which answers came in does not matter."""
    found = certify([answer(5.0), answer(1.0), answer(3.0, lost="ReadError")])
    assert found.longest_gap_ms == pytest.approx(4000)


def test_percentiles_are_of_good_answers() -> None:
    """A request that was lost after its time limit does not count as slow."""
    times = [answer(n, milliseconds=n) for n in range(1, 101)]
    found = certify([*times, answer(200, milliseconds=10_000, lost="ReadTimeout")])
    assert found.p50_ms == 50.5
    assert 99 <= found.p99_ms <= 100


def test_nobody_asked_is_nothing_proven() -> None:
    """Without a request the certificate says that none was sent."""
    found = certify([])
    assert (found.sent, found.failed, found.longest_gap_ms, found.p99_ms) == (0, 0, 0, 0)


def late(at: float, seconds: float) -> Answer:
    """Return a request that got no answer in time."""
    return Answer(name="search", at=at, milliseconds=1000 * seconds, release=None, lost="ReadTimeout", blame="time")


def test_sent_is_what_was_answered_lost_by_the_server_and_lost_by_the_runner() -> None:
    """Each request is in exactly one of the three counts."""
    stuck = Answer(name="search", at=9, milliseconds=1, release=None, lost="ConnectError", blame="runner")
    found = certify([answer(1), answer(2, lost="status 503"), late(3, 5), stuck], [Hiccup(start=3, end=7.5)])
    assert (found.sent, found.answered, found.failed, found.own) == (4, 1, 1, 2)
    assert found.reasons == {"search: status 503": 1}
    assert [loss["reason"] for loss in found.losses] == ["status 503"]


def test_a_hiccup_excuses_the_server_only_for_its_own_time() -> None:
    """What remains of a request's time after the runner's pauses are taken off is judged."""
    pause = [Hiccup(start=10, end=12)]
    assert certify([late(10, 2.5)], pause).own == 1
    assert certify([late(10, 3.5)], pause).failed == 1
    assert certify([answer(10, milliseconds=2500)], pause).slow == 0
    assert certify([answer(10, milliseconds=3500)], pause).slow == 1
    assert certify([answer(10, milliseconds=2500)], pause).p50_ms == pytest.approx(500)


def test_an_error_answer_is_the_servers_whatever_the_runner_did() -> None:
    """A pause of the runner does not excuse a refusal or an error status."""
    found = certify([answer(10, milliseconds=2000, lost="status 503")], [Hiccup(start=9, end=13)])
    assert (found.failed, found.own) == (1, 0)


def test_overlapping_hiccups_count_once() -> None:
    """A late send and a late control answer at the same time are one pause."""
    spans = merged([Hiccup(start=5, end=6), Hiccup(start=1, end=3), Hiccup(start=2, end=4)])
    assert spans == [Hiccup(start=1, end=4), Hiccup(start=5, end=6)]
    assert overlap(0, 10, spans) == 4
    assert overlap(3.5, 5.5, spans) == 1
    assert overlap(4, 5, spans) == 0


def test_the_gap_is_of_one_route_and_without_pauses_of_the_runner() -> None:
    """Answers on another route do not hide that one was away; the runner's own pause is no gap."""
    away = [answer(1), answer(5), *(Answer(name="b", at=n, milliseconds=10, release="v", lost=None) for n in range(8))]
    assert certify(away).longest_gap_ms == pytest.approx(4000)
    assert certify(away, [Hiccup(start=2, end=4.5)]).longest_gap_ms == pytest.approx(1500)


def test_a_route_counts_from_its_first_good_answer_on() -> None:
    """What never served before lost nothing; once it served, everything counts."""
    first = [answer(1, lost="status 503"), answer(2, lost="status 503"), answer(3), answer(4, lost="status 503")]
    assert [each.at for each in once_served(first)] == [3, 4]
    assert once_served(first[:2]) == []


def test_a_route_without_a_good_answer_is_named() -> None:
    """A certificate does not pass over what nobody answered for."""
    assert certify([answer(1)], routes=["search", "jobs"]).silent_routes == ["jobs"]


def test_the_record_has_moments_as_text() -> None:
    """From and to are ISO 8601 in UTC; nothing sent is no moment."""
    assert certify([answer(1.5), answer(3)]).to_json()["from"] == "1970-01-01T00:00:01.500Z"
    assert certify([]).to_json()["to"] == ""


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 20_000), st.sampled_from(["good", "server", "time", "runner"]))),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 5))),
)
def test_nothing_is_lost_between_the_counts(requests: list[Any], pauses: list[Any]) -> None:
    """Whatever happens, sent = answered + failed + own, and reasons and losses are the server's failures."""
    answers = [
        Answer(name="r", at=at, milliseconds=ms, release=None, lost=None if kind == "good" else kind, blame=blame)
        for at, ms, kind in requests
        for blame in [cast("Blame", "server" if kind == "good" else kind)]
    ]
    found = certify(answers, [Hiccup(start=at, end=at + length) for at, length in pauses])
    assert found.sent == found.answered + found.failed + found.own == len(answers)
    assert sum(found.reasons.values()) == found.failed
    assert len(found.losses) == min(found.failed, 20)
