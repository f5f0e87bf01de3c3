from __future__ import annotations

from typing import Any

import pytest

from infra.checks.occasion import BEFORE, BY_HAND, CANDIDATE, SMOKE_BY_HAND
from infra.settings.checks import Checks


@pytest.mark.parametrize(
    ("checks", "seconds"),
    [
        pytest.param({}, 10, id="the usual"),
        pytest.param({"suite": {"queue": {"within_seconds": 3}}}, 10, id="less than usual"),
        pytest.param({"suite": {"queue": {"within_seconds": 20}}}, 22, id="a slow queue"),
        pytest.param(
            {"suite": {"queue": {"within_seconds": 20}, "vector_store": {"within_seconds": 9}}}, 23, id="both slow"
        ),
        pytest.param({"timeout_seconds": 20, "suite": {"queue": {"within_seconds": 19}}}, 20, id="the stack's end"),
    ],
)
def test_by_hand_a_slow_app_gets_the_time_that_the_stack_gives_it(checks: dict[str, Any], seconds: float) -> None:
    """Ten seconds, and what queue and search may take beyond the usual, up to the stack's own deadline."""
    assert BY_HAND.limit_seconds(Checks.model_validate(checks)) == seconds


def test_an_occasion_that_waits_for_no_document_ends_as_ever() -> None:
    """The time of a slow queue is for those who ask for it, and most occasions have the stack's deadline."""
    slow = Checks.model_validate({"timeout_seconds": 60, "suite": {"queue": {"within_seconds": 40}}})
    assert [occasion.limit_seconds(slow) for occasion in (BEFORE, CANDIDATE, SMOKE_BY_HAND)] == [10, 60, 60]
