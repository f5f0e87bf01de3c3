"""The Prometheus metrics that every service exposes."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

disable_created_metrics()  # type: ignore[no-untyped-call]

REQUESTS = Counter("acp_requests_total", "Requests answered.", ("service", "method", "path", "status"))
DURATION = Histogram(
    "acp_request_duration_seconds",
    "Time from request to the last byte of its response.",
    ("service", "method", "path"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
IN_PROGRESS = Gauge("acp_requests_in_progress", "Requests being answered now.", ("service",))
JOBS = Counter("acp_jobs_total", "Jobs that ended, by outcome.", ("service", "outcome"))
JOBS_RUNNING = Gauge("acp_jobs_running", "Jobs being worked on now.", ("service",))
RELEASE = Gauge("acp_release_info", "Always 1; says which release answers.", ("service", "version", "release"))


def exposition() -> tuple[bytes, str]:
    """Give all metrics as Prometheus text and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
