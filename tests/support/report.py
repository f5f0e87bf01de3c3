"""A document of a release as the driver writes it, with something in every section."""

from __future__ import annotations

from typing import Any

RELEASE = "v1.4.2-1a2b3c4d"
LONG = "registry.example.com:5000/acp/acp-ingest@sha256:" + "a" * 64


def container(service: str, number: int, *, host: str = "h1") -> dict[str, Any]:
    """Return what a report has of one container."""
    moments = list(range(0, 80, 2))
    return {
        "host": host,
        "name": f"acp-{RELEASE}-{service}-{number}",
        "service": service,
        "release": RELEASE,
        "restarts": 0,
        "oom_kills": 0,
        "memory_limit_bytes": 512 * 1024**2,
        "readings": len(moments),
        "at_seconds": moments,
        "memory_bytes": [(60 + number * 10 + at // 4) * 1024**2 for at in moments],
        "cpu_percent": [float((at * number * 7) % 50) for at in moments],
        "connections": [None if at == 0 else 3 + at % 5 for at in moments],
        "disk_bytes": [4096] * len(moments),
    }


def check(*, passed: bool, target: str = "acp-ingest on h1") -> dict[str, Any]:
    """Return the result of one check."""
    return {
        "check": "health", "target": target, "passed": passed, "asked": "GET /health", "came": "status is healthy",
        "seconds": 0.012, "look_at": "" if passed else "the container's log",
    }  # fmt: skip


def document(**changes: Any) -> dict[str, Any]:
    """Return the document of a release that went well, top-level keys replaced."""
    values: dict[str, Any] = {
        "outcome": "released",
        "reason": "",
        "stack": "production",
        "release": RELEASE,
        "version": "v1.4.2",
        "previous": "v1.4.1-00000000",
        "run_id": "ci-42-1",
        "strategy": "canary",
        "images": {"acp-ingest": LONG, "acp-agents": LONG},
        "max_memory_percent": 80.0,
        "started_at": "2026-01-01T00:00:00.000Z",
        "ended_at": "2026-01-01T00:01:00.000Z",
        "checks": [check(passed=True), check(passed=True, target="candidate acp-agents on h2")],
        "load": [
            {"script": "search", "profile": "load", "requests": 1200, "failed": 0, "p95_ms": 21.5, "p99_ms": 44.1},
            {"script": "ingest", "profile": "load", "requests": 800, "failed": 0, "p95_ms": 51.5, "p99_ms": 144.1},
        ],
        "regression": [
            {"service": "acp-ingest", "verdict": "ok", "ratio": 1.02, "low": 0.97, "high": 1.06, "reason": "within"},
        ],
        "certificate": {
            "sent": 1200, "answered": 1198, "failed": 1, "slow": 0, "own": 1, "longest_gap_ms": 412.0, "p50_ms": 4.2,
            "p99_ms": 31.0, "from": "2026-01-01T00:00:00.000Z", "to": "2026-01-01T00:01:00.000Z", "rate": 20.0,
            "by_release": {"v1.4.1-00000000": 700, RELEASE: 498}, "reasons": {"/ on h1: status 503": 1},
            "losses": [{"at": "2026-01-01T00:00:30.000Z", "route": "/ on h1", "reason": "status 503",
                        "milliseconds": 4.5}],
            "silent_routes": [],
        },
        "resources": {
            "interval_seconds": 2.0, "seconds": 80.0, "missed": 0, "hosts": {},
            "containers": [container("acp-ingest", n) for n in (1, 2, 3)] + [container("acp-agents", 1, host="h2")],
            "verdicts": [
                {"container": "a", "host": "h1", "measure": "memory", "verdict": "ok", "reason": "12 %"},
                {"container": "a", "host": "h1", "measure": "growth", "verdict": "cannot tell", "reason": "too short"},
            ],
        },
        "timeline": {"committed": 42.0, "candidate ready": 3.0, "candidate verified": 9.5},
        "warnings": [],
    }  # fmt: skip
    return {**values, **changes}
