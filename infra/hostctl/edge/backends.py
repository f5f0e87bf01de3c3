"""The backends of HAProxy's configuration: who answers for a service, how often it is asked, what is sent twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .text import escape, section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .routing import Backend, Server
    from .settings import EdgeSettings

RETRY_ALWAYS = "conn-failure empty-response"
RETRY_ON_TRIAL = "conn-failure empty-response response-timeout 500 502 503 504"


def fallback_name(service: str) -> str:
    """Return the backend that has only the committed release, unchecked, for when no checked replica is left."""
    return f"{service}:fallback"


def verify_name(service: str, *, is_current: bool = False) -> str:
    """Return the backend that has only the candidate, or only the release that it is compared with."""
    return f"{service}:current:verify" if is_current else f"{service}:verify"


def render_backends(settings: EdgeSettings, backend: Backend, *, is_trial: bool) -> list[str]:
    """Return a service's backends: all replicas; during a trial also the candidate alone and the current alone."""
    sections = [
        _backend(
            backend.service,
            backend,
            [_server(backend, server, settings, is_trial=is_trial) for server in backend.servers],
            is_trial=is_trial,
        )
    ]
    if is_trial and backend.candidates:
        sections.append(_verify(verify_name(backend.service), backend.candidates))
    if is_trial and backend.currents:
        sections.append(_verify(verify_name(backend.service, is_current=True), backend.currents))
    if backend.currents:
        # A release that is too busy to answer its checks in time is still better asked than nobody.
        alone = _unchecked(backend.currents)
        sections.append(_backend(fallback_name(backend.service), backend, alone, is_trial=False, is_checked=False))
    return sections


def _verify(name: str, servers: Iterable[Server]) -> str:
    """Return the backend of one release alone: every failure is seen by who asks."""
    return section(f"backend {name}", ["retries 0", _release_header(), *_unchecked(servers)])


def _unchecked(servers: Iterable[Server]) -> list[str]:
    """Return replicas' lines without a share and a check."""
    return [f"server {server.name} {server.container}:{server.port}" for server in servers]


def _backend(name: str, backend: Backend, servers: list[str], *, is_trial: bool, is_checked: bool = True) -> str:
    """Return one backend; what is not safe to send twice is never retried after it was sent."""
    repeatable = " or ".join(
        ["METH_GET", "{ method OPTIONS }", *(f"{{ path {path} }}" for path in backend.repeatable_paths)]
    )
    lines = [
        "balance roundrobin",
        f"retry-on {RETRY_ON_TRIAL if is_trial else RETRY_ALWAYS}",
        f"http-request disable-l7-retry unless {repeatable}",
    ]
    lines.append(_release_header())
    if is_checked and backend.readiness:
        readiness = backend.readiness
        key = readiness.field.rpartition(".")[2]
        lines += [
            "option httpchk",
            f"http-check send meth GET uri {readiness.path} hdr Host edge.internal",
            "http-check expect status 200-299",
            f"http-check expect rstring {_json_member(key, readiness.equals)}",
        ]
    return section(f"backend {name}", [*lines, *servers])


def _spaced(text: str) -> str:
    """Return plain text as a regular expression; spaces are escaped for the configuration."""
    return "".join("\\ " if character == " " else escape(character) for character in text)


def _release_header() -> str:
    return "http-response set-header X-ACP-Release %[srv_name,field(1,:)]"


def _server(backend: Backend, server: Server, settings: EdgeSettings, *, is_trial: bool) -> str:
    """Return a replica's line; a candidate that fails too often in a row is taken out and stays out."""
    line = f"server {server.name} {server.container}:{server.port} weight {server.weight} check"
    if is_trial and server.is_candidate:
        limit = max(1, settings.max_failures // len(backend.candidates))
        return f"{line} inter 1s fall 3 rise 1000 observe layer7 error-limit {limit} on-error mark-down"
    return f"{line} inter 2s fastinter 500ms downinter 500ms fall 2 rise 1"


def _json_member(key: str, value: str) -> str:
    """Return a regular expression for a member of a JSON object, as the configuration quotes it."""
    space = "[[:space:]]*"
    return f'\\"{escape(key)}\\"{space}:{space}\\"?{_spaced(value)}\\"?{space}[,}}]'
