"""What the checks of a stack need of its other sections, judged on raw values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVICES = {"ingest_service": "acp-ingest", "agents_service": "acp-agents"}
"""Which service each group of checks asks, with the default."""

ENDPOINTS = {"llm_endpoint": "LLM_ENDPOINT", "embedding_endpoint": "EMBEDDING_ENDPOINT"}
"""Which secret holds the endpoint that a check asks."""

NEED_TLS = ("tls", "redirect")


def check_problems(values: Mapping[str, Any], secret_names: Sequence[object]) -> list[str]:
    """Return every check without an endpoint to ask; an ignored check needs none."""
    checks = _mapping(values.get("checks"))
    suite = _mapping(checks.get("suite"))
    services = _mapping(values.get("services"))
    problems = [
        f"checks.{key}: there is no web service {name!r} in services"
        for key, default in SERVICES.items()
        if services and isinstance(name := checks.get(key, default), str) and not _is_web(services.get(name))
    ]
    problems += [
        f"checks.suite.{name}: {secret} is not in secrets.names; add it, or set `severity: ignore`"
        for name, secret in ENDPOINTS.items()
        if secret not in secret_names and not _is_ignored(suite.get(name))
    ]
    has_tls = bool(_mapping(values.get("edge")).get("tls"))
    problems += [
        f"checks.suite.{name}: the stack has no edge.tls; add it, or set `severity: ignore`"
        for name in NEED_TLS
        if name in suite and not has_tls and not _is_ignored(suite.get(name))
    ]
    return problems


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_web(service: object) -> bool:
    return isinstance(service, dict) and service.get("role", "web") == "web"


def _is_ignored(check: object) -> bool:
    return _mapping(check).get("severity") == "ignore"
