from __future__ import annotations

from typing import Any

import pytest

from infra.checks.ask import LOG, NOT_RUNNING, Answer


def answer(**values: Any) -> Answer:
    """Return an answer to a question."""
    return Answer(asked="GET /health", seconds=0.2, **values)


@pytest.mark.parametrize(("status", "expected"), [(None, False), (199, False), (200, True), (204, True), (302, False)])
def test_success_is_a_status_of_success(status: int | None, expected: bool) -> None:
    """Nobody's answer is none, and neither is an error or a redirect."""
    assert answer(status=status).is_success is expected


def test_where_to_look_depends_on_whether_anybody_answered() -> None:
    """Without an answer the question is whether it runs; with one its log says more."""
    assert answer(failure="no answer (ConnectError)").look_at == NOT_RUNNING
    assert answer(status=500).look_at == LOG


@pytest.mark.parametrize(
    ("document", "expected"),
    [({"id": 1, "job_id": 2}, 1), ({"id": None, "job_id": 2}, 2), ({"id": 0}, 0), ({}, None), ([], None), (None, None)],
)
def test_a_member_is_the_first_that_is_there(document: Any, expected: Any) -> None:
    """A member that is null is not there; what is no object has none."""
    assert answer(status=200, document=document).value("id", "job_id") == expected


@pytest.mark.parametrize("passed", [True, False])
def test_a_result_says_where_to_look_only_when_it_failed(passed: bool) -> None:
    """A good result points to nothing."""
    found = answer(status=500).judged("health", "h1", passed=passed, blames=("redis",))
    assert (found.look_at, found.dependencies) == (("", ()) if passed else (LOG, ("redis",)))


def test_a_result_takes_the_time_of_its_answer_or_its_own() -> None:
    """Several questions take longer than the last of them."""
    assert answer(status=200).judged("health", "h1", passed=True, blames=()).seconds == 0.2
    assert answer(status=200).judged("queue", "h1", passed=True, blames=(), seconds=3.0).seconds == 3.0
