"""HAProxy's configuration as text; pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .backends import render_backends, verify_name
from .rules import choices, ordered, path_condition
from .settings import METRICS_PORT
from .text import milliseconds, section

if TYPE_CHECKING:
    from .routing import Routing
    from .rules import Rule
    from .settings import EdgeSettings

HARD_STOP_SECONDS = 900
"""How long a worker that a reload replaced may live at least, for clients that keep a connection."""
HARD_STOP_MARGIN_SECONDS = 60
KEPT_ADDRESS = "24h"
SAME_ADDRESS = "resolve-opts allow-dup-ip"
"""Without it an address is given to one entry of a backend only, and the stand-by entry of a replica gets none."""
REQUEST_ID = "^[A-Za-z0-9._-]{1,128}$"
LOG_FORMAT = "%ci %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %tsc %rc %HM %HPO %[var(txn.request_id)]"
"""Of a request that failed: no header but its own id, and the path without the query, which may have secrets."""
CERTIFICATE = "/edge/certs/edge.pem"


def render_config(settings: EdgeSettings, routing: Routing) -> str:
    """Return the whole configuration for these routes."""
    sections = [_global(routing), _defaults(settings), _resolvers(), _metrics()]
    sections += _frontends(settings, routing)
    sections += [_verify(routing, index, port) for index, port in enumerate(settings.verify_ports)]
    for backend in routing.backends:
        sections += render_backends(settings, backend, is_trial=routing.is_trial)
    return "\n\n".join(sections) + "\n"


def _global(routing: Routing) -> str:
    """Return what holds for the whole process; a replaced worker outlives the longest drain, which cuts by itself."""
    hard_stop = max(HARD_STOP_SECONDS, math.ceil(routing.drain_seconds) + HARD_STOP_MARGIN_SECONDS)
    return section(
        "global",
        [
            "log stdout format raw local0 notice",
            "fd-hard-limit 50000",
            'stats socket "${ACP_RUN}/worker.sock" mode 600 level admin expose-fd listeners',
            f"hard-stop-after {hard_stop}s",
            "ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
            "ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20",
        ],
    )


def _defaults(settings: EdgeSettings) -> str:
    return section(
        "defaults",
        [
            "mode http",
            "log global",
            f"log-format '{LOG_FORMAT}'",
            "option dontlog-normal",
            "option dontlognull",
            "option log-separate-errors",
            "option http-server-close",
            "option idle-close-on-response",
            "option redispatch 1",
            "retries 3",
            "timeout connect 2s",
            "timeout queue 5s",
            "timeout check 5s",
            "timeout http-request 10s",
            f"timeout http-keep-alive {milliseconds(settings.keep_alive_seconds)}",
            f"timeout client {milliseconds(settings.client_seconds)}",
            f"timeout server {milliseconds(settings.server_seconds)}",
            "timeout tunnel 1h",
            "timeout client-fin 5s",
            f"default-server init-addr last,libc,none resolvers docker resolve-prefer ipv4 {SAME_ADDRESS}",
        ],
    )


def _resolvers() -> str:
    """Return how a replica's address is found again after a restart.

    The engine is the one who is asked: while it does not answer, the last address stays, and readiness alone judges.
    """
    return section(
        "resolvers docker",
        [
            "nameserver docker 127.0.0.11:53",
            "resolve_retries 2",
            "timeout resolve 1s",
            "timeout retry 1s",
            "hold valid 2s",
            "hold obsolete 5s",
            "hold nx 5s",
            f"hold other {KEPT_ADDRESS}",
            f"hold timeout {KEPT_ADDRESS}",
            f"hold refused {KEPT_ADDRESS}",
        ],
    )


def _metrics() -> str:
    return section(
        "frontend metrics",
        [
            f"bind :{METRICS_PORT}",
            "http-request use-service prometheus-exporter if { path /metrics }",
            "http-request return status 404",
        ],
    )


def _frontends(settings: EdgeSettings, routing: Routing) -> list[str]:
    """Return the shared frontends and one per public port."""
    sections = []
    shared = [(prefix, backend) for backend in routing.backends for prefix in backend.path_prefixes]
    if settings.http_port:
        if settings.has_tls and settings.redirect:
            sections.append(_redirect(settings, settings.http_port))
        else:
            sections.append(
                _frontend(settings, f"http-{settings.http_port}", settings.http_port, shared, routing, tls=False)
            )
    if settings.https_port and settings.has_tls:
        sections.append(
            _frontend(settings, f"https-{settings.https_port}", settings.https_port, shared, routing, tls=True)
        )
    for port in settings.public_ports:
        if port in settings.shared_ports:
            continue
        own = [("/", backend) for backend in routing.backends if port in backend.public_ports]
        sections.append(_frontend(settings, f"public-{port}", port, own, routing, tls=settings.has_tls))
    return sections


def _redirect(settings: EdgeSettings, port: int) -> str:
    target = "" if settings.https_port == 443 else f":{settings.https_port}"  # noqa: PLR2004 - https
    location = f"https://%[req.hdr(host),host_only]{target}%[pathq]"
    return section(f"frontend http-{port}", [f"bind :{port}", f"http-request redirect location {location} code 308"])


def _frontend(settings: EdgeSettings, name: str, port: int, rules: list[Rule], routing: Routing, *, tls: bool) -> str:
    """Return one public frontend; the longest matching path prefix wins."""
    bind = f"bind :{port} ssl crt {CERTIFICATE} alpn h2,http/1.1" if tls else f"bind :{port}"
    lines = [
        bind,
        *_request_id(),
        "option forwardfor",
        f"http-request set-header X-Forwarded-Proto {'https' if tls else 'http'}",
    ]
    lines.append(f"http-request set-header X-Forwarded-Port {port}")
    if tls and settings.hsts_seconds:
        lines.append(f'http-after-response set-header Strict-Transport-Security "max-age={settings.hsts_seconds}"')
    if not routing.backends:
        lines.append(_answer(503, "no release is serving"))
    lines += choices(settings, ordered(rules))
    if routing.backends and not any(prefix == "/" for prefix, _ in rules):
        conditions = " ".join(f"!{path_condition(prefix)}" for prefix, _ in rules)
        lines.append(_answer(404, "no service has this path") + (f" if {conditions}" if conditions else ""))
    return section(f"frontend {name}", lines)


def _request_id() -> list[str]:
    """Return how a request gets its id: the client's, or one of our own.

    What is taken is what is looked at: of several headers, or of one with commas, a condition on the header itself
    would hold where any of them is well, and another one be taken.
    """
    return [
        "http-request set-var(txn.request_id) req.hdr(X-Request-ID)",
        f"http-request set-var(txn.request_id) uuid unless {{ var(txn.request_id) -m reg {REQUEST_ID} }}",
        "http-request set-header X-Request-ID %[var(txn.request_id)]",
        "http-after-response set-header X-Request-ID %[var(txn.request_id)]",
    ]


def _answer(status: int, text: str) -> str:
    return f'http-request return status {status} content-type application/json string \'{{"error":"{text}"}}\''


def _verify(routing: Routing, index: int, port: int) -> str:
    """Return the frontend of a loopback port that reaches one release alone: the candidate's first, then current's."""
    backends = [
        *(verify_name(service) for service in routing.candidate_services),
        *(verify_name(service, is_current=True) for service in routing.current_services),
    ]
    lines = [f"bind :{port}", *_request_id()]
    lines.append(f"use_backend {backends[index]}" if index < len(backends) else _answer(503, "there is no candidate"))
    return section(f"frontend verify-{port}", lines)
