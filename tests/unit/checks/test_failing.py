from __future__ import annotations

from typing import TYPE_CHECKING

from infra.checks import failing
from infra.checks.ask import Answer
from infra.checks.failing import FAILING_SECONDS, Failing

if TYPE_CHECKING:
    import pytest


def answer(status: int | None) -> Answer:
    """Return an answer, or that there was none."""
    return Answer(asked="a", seconds=0.1, status=status, failure="" if status else "no answer")


def test_a_service_that_only_fails_is_given_up_before_one_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer of some seconds has to be bad; a good one in between begins them anew."""
    now = 100.0
    monkeypatch.setattr(failing.time, "monotonic", lambda: now)
    service = Failing()
    assert service.is_for_good(answer(500)) is False
    now += FAILING_SECONDS - 0.1
    assert service.is_for_good(answer(500)) is False
    assert service.is_for_good(answer(404)) is False
    now += FAILING_SECONDS
    assert service.is_for_good(answer(500)) is False
    now += FAILING_SECONDS
    assert service.is_for_good(answer(None)) is True
