"""A subject over the fake app: one host, whose hostctl answers as a healthy one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.checks.subject import Subject
from infra.checks.target import public_targets
from tests.support.fake_app import RELEASE
from tests.support.fake_hostctl import FakeClient, Journal
from tests.support.overrides import merged
from tests.support.settings import HOST_KEY, make_settings, stack_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings import Settings

PROJECT = "acp-v1-4-2-1a2b3c4d"
QUICK: dict[str, Any] = {
    "passes": 2,
    "interval_seconds": 0.03,
    "timeout_seconds": 2.5,
    "suite": {
        "queue": {"within_seconds": 0.8},
        "vector_store": {"within_seconds": 0.8, "kept_in": "database"},
        "metrics": {"severity": "critical"},
    },
    "smoke": {"within_seconds": 0.8},
}
"""Checks that give up at once."""


def quick_settings(ports: Mapping[str, int], *, checks: Mapping[str, Any] | None = None, **changes: Any) -> Settings:
    """Return the test stack on one host whose public ports are `ports`, agents with two replicas."""
    reached = {8000: ports["acp-ingest"], 8001: ports["acp-agents"], 443: ports.get("tls", 443)}
    hosts = [{"name": "h1", "address": "127.0.0.1", "host_key": HOST_KEY, "ports": reached}]
    services = stack_values()["services"]
    services["acp-agents"]["replicas"] = 2
    return make_settings(**{"hosts": hosts, "services": services, "checks": merged(QUICK, checks or {}), **changes})


def container(service: str, index: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a container as hostctl's status has it."""
    name = f"{PROJECT}-{service}-{index}"
    return {"name": name, "service": service, "state": "running", "health": "healthy", "restarts": 0, **changes}


def good_status(release: str = RELEASE) -> dict[str, Any]:
    """Return the status of a host on which all is well."""
    row = {"release": release, "weight": 100, "sessions": 0}
    return {
        "serving": release,
        "services": [
            {"name": "acp-ingest", "releases": [{**row, "up": 1, "servers": 1}]},
            {"name": "acp-agents", "releases": [{**row, "up": 2, "servers": 2}]},
        ],
        "releases": {
            release: [container("ingest"), container("worker"), container("agents"), container("agents", 2)],
        },
        "core": [{"name": "acp-core-postgres-1", "service": "postgres", "state": "running", "health": "healthy"}],
    }


def good_resources(free_bytes: int = 50 * 1024**3) -> dict[str, Any]:
    """Return the resources of a host with so much room."""
    return {"host": {"disk_free_bytes": free_bytes}, "containers": []}


def make_subject(
    settings: Settings,
    *,
    status: Any = None,
    resources: Any = None,
    ready: Any = None,
    release: str | None = RELEASE,
    secrets: Mapping[str, str] | None = None,
    jobs: Mapping[str, str] | None = None,
    handed_in: Mapping[str, str] | None = None,
) -> Subject:
    """Return the public of the test stack; `status`, `resources` and `ready` are what hostctl answers."""
    answers = {"status": status or good_status(), "resources": resources or good_resources(), "ready": ready or {}}
    hosts: Any = [FakeClient(host=host, journal=Journal(), answers=answers) for host in settings.hosts]
    return Subject(
        settings=settings,
        targets=public_targets(settings, release),
        hosts=hosts,
        release=release,
        replicas={name: service.replicas for name, service in settings.services.items()} if release else {},
        secrets=secrets or {},
        jobs=jobs or {},
        handed_in=handed_in or {},
    )
