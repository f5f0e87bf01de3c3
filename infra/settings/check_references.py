"""What the checks of a stack need of its other sections, judged on raw values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.settings.checks import Checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SERVICES = {"ingest_service": "acp-ingest", "agents_service": "acp-agents"}
"""Which service each group of checks asks, with the default."""

ENDPOINTS = {"llm_endpoint": "LLM_ENDPOINT", "embedding_endpoint": "EMBEDDING_ENDPOINT"}
"""Which secret holds the endpoint that a check asks."""

NEED_TLS = ("tls", "redirect")

TIMED = (("smoke",), ("suite.queue", "suite.vector_store"))
"""Which parts of `checks` have a time of their own; those of a group come one after the other."""


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
    return [*problems, *_cut_short(checks)]


def _cut_short(checks: Mapping[str, Any]) -> Iterator[str]:
    """Yield the times given by the stack that the deadline of all checks would cut."""
    suite = _mapping(checks.get("suite"))
    parts = {"smoke": checks.get("smoke"), **{f"suite.{name}": part for name, part in suite.items()}}
    timeout = checks.get("timeout_seconds", Checks.model_fields["timeout_seconds"].default)
    for group in TIMED:
        times = {f"checks.{name}.within_seconds": _mapping(parts.get(name)).get("within_seconds") for name in group}
        given = {path: seconds for path, seconds in times.items() if isinstance(seconds, int | float)}
        needed = sum(given.values())
        if given and isinstance(timeout, int | float) and needed >= timeout:
            yield (
                f"{' + '.join(given)}: checks.timeout_seconds ends all checks after {timeout:g} s; "
                f"set it above {needed:g}, or give less"
            )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_web(service: object) -> bool:
    return isinstance(service, dict) and service.get("role", "web") == "web"


def _is_ignored(check: object) -> bool:
    return _mapping(check).get("severity") == "ignore"
