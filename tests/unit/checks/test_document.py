from __future__ import annotations

from typing import Any

import pytest

from infra.checks.ask import Answer
from infra.checks.document import Trip, finds, has_results


def answer(code: int | None = 200, **document: Any) -> Answer:
    """Return an answer with a JSON object."""
    return Answer(asked="a", seconds=0.1, status=code, document=document)


TAKEN = answer(202, job_id="d0")


def trip(**parts: Any) -> Trip:
    """Return a trip of a document that was taken, unless `parts` say otherwise."""
    return Trip(**{"text": "t", "pasted": TAKEN, **parts})


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        pytest.param(TAKEN, True, id="taken"),
        pytest.param(answer(200, id="d0"), True, id="by the other name"),
        pytest.param(answer(500, job_id="d0"), False, id="an error with a job"),
        pytest.param(answer(202), False, id="no job"),
        pytest.param(Answer(asked="a", seconds=0.1, failure="no answer"), False, id="nobody"),
    ],
)
def test_a_document_is_taken_when_its_job_is_named(pasted: Answer, expected: bool) -> None:
    """Success and a job are both needed."""
    assert trip(pasted=pasted).is_accepted is expected


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param(None, False, id="not read"),
        pytest.param(answer(id="d0", status="pending"), True, id="its own job"),
        pytest.param(answer(id="d1", status="pending"), False, id="another job"),
        pytest.param(answer(id="d0", status="odd"), False, id="a status that is none"),
    ],
)
def test_a_job_is_kept_when_it_is_read_back(read: Answer | None, expected: bool) -> None:
    """It is the same job, in a status of the contract."""
    assert trip(read=read).is_kept is expected


@pytest.mark.parametrize(
    ("ended", "expected"), [(None, False), (answer(status="completed"), True), (answer(status="failed"), False)]
)
def test_only_what_was_completed_is_completed(ended: Answer | None, expected: bool) -> None:
    """No answer, and a job that failed, are not."""
    assert trip(ended=ended).is_completed is expected


def test_a_trip_that_did_not_come_to_the_search_found_nothing() -> None:
    """What was not looked for has not been found."""
    assert trip().is_found is False


@pytest.mark.parametrize(
    ("searched", "shaped", "found"),
    [
        pytest.param(answer(results=[{"chunk": "x mark y"}]), True, True, id="found"),
        pytest.param(answer(results=[{"chunk": "other"}]), True, False, id="another document"),
        pytest.param(answer(results=[]), True, False, id="nothing"),
        pytest.param(answer(results="mark"), False, False, id="another shape"),
        pytest.param(answer(500, results=[{"chunk": "mark"}]), False, False, id="an error"),
    ],
)
def test_a_search_finds_a_document_by_its_word(searched: Answer, shaped: bool, found: bool) -> None:
    """A good answer in the shape of the contract, with the word in one of its hits."""
    assert has_results(searched) is shaped
    assert finds(searched, "mark") is found
