"""A history with one event of each kind, and the status that goes with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from infra.domain.history import Event

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def make_event(number: int, hours_ago: float, **changes: Any) -> Event:
    """Return a release that took 14 seconds and ended `hours_ago`."""
    ended = NOW - timedelta(hours=hours_ago)
    values: dict[str, Any] = {
        "id": f"e{number}", "kind": "release", "outcome": "succeeded", "stack": "production",
        "started_at": (ended - timedelta(seconds=14)).isoformat(), "ended_at": ended.isoformat(),
        "release": f"v{number}-0", "version": f"v{number}", "replaced": f"v{number - 1}-0",
        "figures": {"p99_ms": 7.0 + number, "sent": 1400, "lost": 0}, "who": "deployer@ci", "source": "acme/acp",
        "branch": "main", "commit": "0123456789abcdef",
    }  # fmt: skip
    return Event(**{**values, **changes})


HISTORY = [
    make_event(4, 1, kind="revert", host="h1", replaced="", who="", source="", commit="", branch="", figures={},
               release="v5-0", version="", reason="nobody confirmed within 120 seconds"),
    make_event(5, 1.1, outcome="failed", reason="error rate 4 % on acp-ingest", figures={}),
    make_event(3, 24, kind="rollback", undoes="v4-0", replaced="v4-0", approver="lead",
               ci_run="https://ci.example/runs/7"),
    make_event(4, 30),
    make_event(3, 300, kind="promotion"),
    make_event(2, 400),
    make_event(1, 500, kind="other", release="", version=""),
]  # fmt: skip
"""The newest first."""

STATE: dict[str, Any] = {
    "stack": "production",
    "release": "v3-0",
    "previous": "v2-0",
    "urls": ["https://acp.example"],
    "images": {"acp-ingest": "registry.example/ingest@sha256:1"},
    "hosts": [
        {"host": "h1", "serving": "v3-0"},
        {"host": "h2", "serving": None, "error": "h2 is not reachable"},
    ],
    "differences": [{"host": "h1", "what": "a container is missing", "mend": "`acp-release status --repair`"}],
}
