"""Release specs as a driver would send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGE = "registry.test/acp/app@sha256:" + "a" * 64
SECRET = "postgres://user:pa55word@db/acp"
V1, V2, V3 = "v1.0.0-a", "v1.1.0-b", "v1.2.0-c"


def readiness(**changes: Any) -> dict[str, Any]:
    """Return how readiness is judged."""
    return {
        "path": "/health/ready", "field": "status", "equals": "ready", "passes": 3, "interval_seconds": 0.5,
        "timeout_seconds": 10, **changes,
    }  # fmt: skip


def spec(
    release: str,
    *,
    replicas: int = 1,
    services: Sequence[str] = ("ingest", "agents"),
    agents_drain_seconds: float = 30,
    **changes: Any,
) -> dict[str, Any]:
    """Return a release spec with web services and a worker."""
    project = "acp-" + release.replace(".", "-")
    body = {
        "image": IMAGE,
        "environment": {"DATABASE_URL": "${DATABASE_URL}"},
        "networks": ["front"],
        "scale": replicas,
        "restart": "unless-stopped",
    }
    web = [
        {
            "name": f"acp-{name}", "compose_service": name, "role": "web", "port": 8000, "replicas": replicas,
            "memory_bytes": 1024, "readiness": readiness(),
            "drain_timeout_seconds": agents_drain_seconds if name == "agents" else 30,
            "routes": {"public_port": 8000 + index, "path_prefixes": ["/"] if index == 0 else [f"/{name}"],
                       "repeatable_paths": ["/api/v1/search"]},
        }
        for index, name in enumerate(services)
    ]  # fmt: skip
    worker = {
        "name": "acp-worker", "compose_service": "worker", "role": "worker", "replicas": replicas, "memory_bytes": 1024,
        "drain_timeout_seconds": 120,
    }  # fmt: skip
    return {
        "release": release,
        "stack": "local",
        "project": project,
        "compose": {
            "services": {
                **{name: {**body, "networks": {"front": {"aliases": [f"{project}-{name}"]}}} for name in services},
                "worker": dict(body),
            },
            "networks": {"front": {"name": "acp-local-front", "external": True}},
        },
        "images": [IMAGE],
        "secret_names": ["DATABASE_URL"],
        "services": [*web, worker],
        **changes,
    }
