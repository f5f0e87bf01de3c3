from __future__ import annotations

import pytest

from infra.domain.certificate import Answer, certify


def answer(at: float, *, milliseconds: float = 10, lost: str | None = None, release: str | None = "v1-0") -> Answer:
    """Return one request's fate."""
    return Answer(name="search", at=at, milliseconds=milliseconds, release=release, lost=lost)


def test_a_certificate_counts_what_was_lost_and_why() -> None:
    """Sent, failed and the reasons are counted; a lost request has no release."""
    found = certify([answer(1), answer(2, lost="status 503", release=None), answer(3, release="v2-0")])
    assert (found.sent, found.failed) == (3, 1)
    assert found.by_release == {"v1-0": 1, "v2-0": 1}
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
