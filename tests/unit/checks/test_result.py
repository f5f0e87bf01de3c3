from __future__ import annotations

from typing import Any

import pytest

from infra.checks.result import CheckResult


def result(**changes: Any) -> CheckResult:
    """Return a result of a check that failed, unless `changes` say otherwise."""
    values = {"passed": False, "look_at": "the log", **changes}
    return CheckResult(check="queue", target="acp-ingest", asked="GET /x", came="status 500", seconds=0.5, **values)


@pytest.mark.parametrize(
    ("changes", "verdict", "fails"),
    [
        ({"passed": True}, "ok", False),
        ({"passed": True, "severity": "warning"}, "ok", False),
        ({}, "FAILED", True),
        ({"severity": "warning"}, "warning", False),
    ],
)
def test_only_what_is_critical_fails_a_release(changes: dict[str, Any], verdict: str, fails: bool) -> None:
    """The word and the consequence go together."""
    assert (result(**changes).verdict, result(**changes).fails_release) == (verdict, fails)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "FAILED queue of acp-ingest: GET /x → status 500 (0.50 s); look at the log"),
        ({"look_at": ""}, "FAILED queue of acp-ingest: GET /x → status 500 (0.50 s)"),
        ({"passed": True}, "ok queue of acp-ingest: GET /x → status 500 (0.50 s)"),
        (
            {"failed_before": True, "look_at": ""},
            "FAILED queue of acp-ingest: GET /x → status 500 (0.50 s); it was so before the release",
        ),
    ],
)
def test_a_line_says_all_that_helps(changes: dict[str, Any], line: str) -> None:
    """Where to look stands on what failed only, and so does what was down before."""
    assert str(result(**changes)) == line
