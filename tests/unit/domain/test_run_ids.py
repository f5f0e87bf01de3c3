from __future__ import annotations

import pytest

from infra.domain.run_ids import are_same_run


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("ci-7-1", "ci-7-1", True),
        ("ci-7-1", "ci-7-1-20260101T000000Z-12", True),
        ("ci-7-1-20260101T000000Z-12", "ci-7-1-20260101T000100Z-40", False),
        ("ci-7-1", "ci-7-12-20260101T000000Z-12", False),
        ("20260101T000000Z-1", "20260101T000000Z-12", False),
        ("", "ci-7-1", False),
    ],
)
def test_a_ci_run_is_that_of_its_updates(one: str, other: str, expected: bool) -> None:
    """Two updates in it are two runs; what only looks alike is none."""
    assert are_same_run(one, other) is expected
    assert are_same_run(other, one) is expected
