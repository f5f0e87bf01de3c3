"""The backends of HAProxy's configuration: who answers for a service, how often it is asked, what is sent twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .stats import BACKUP_SUFFIX
from .text import escape, milliseconds, section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .routing import Backend, Server
    from .settings import EdgeSettings

RETRY_ALWAYS = "conn-failure empty-response"
RETRY_ON_TRIAL = "conn-failure empty-response response-timeout 500 502 503 504"
LEAST_RETRIES, MOST_RETRIES = 3, 20
FAILURES_KEY = "candidate"
"""The one entry in a service's table of failures, which is in the backend of all its replicas."""
DEEPEST = 5
"""So deep may objects lie within an answer for its own members to be found behind them."""


def fallback_name(service: str) -> str:
    """Return the backend that has only the committed release, unchecked, for when no checked replica is left."""
    return f"{service}:fallback"


def verify_name(service: str, *, is_current: bool = False) -> str:
    """Return the backend that has only the candidate, or only the release that it is compared with."""
    return f"{service}:current:verify" if is_current else f"{service}:verify"


def too_many_failures(settings: EdgeSettings, service: str) -> str:
    """Return the condition that a service's candidate has lost as many requests as it may."""
    return f"{{ str({FAILURES_KEY}),table_gpc0({service}) ge {settings.max_failures} }}"


def render_backends(settings: EdgeSettings, backend: Backend, *, is_trial: bool) -> list[str]:
    """Return a service's backends: all replicas; during a trial also the candidate alone and the current alone."""
    sections = [
        _backend(
            backend.service,
            backend,
            [
                *(_trial_rules(backend, settings) if is_trial and backend.candidates else ()),
                *(_server(backend, server, settings, is_trial=is_trial) for server in backend.servers),
                *(_backups(backend) if is_trial and backend.candidates else ()),
            ],
            settings,
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
        sections.append(
            _backend(fallback_name(backend.service), backend, alone, settings, is_trial=False, is_checked=False)
        )
    return sections


def _verify(name: str, servers: Iterable[Server]) -> str:
    """Return the backend of one release alone: every failure is seen by who asks."""
    return section(f"backend {name}", ["retries 0", _release_header(), *_unchecked(servers)])


def _trial_rules(backend: Backend, settings: EdgeSettings) -> list[str]:
    """Return how a candidate's failures are counted: each that a client saw, whatever else it answers well.

    What may be sent again is, until all candidates are taken out and the committed replicas are left.

    After-response rules also run for what HAProxy answers in place of a replica that gave no answer, and not for an
    answer that is dropped because the request is tried again. There the count is raised by reading it: the action that
    only raises it is not known to all versions.
    """
    retries = _limit(backend, settings) * len(backend.candidates)
    is_candidate = f"{{ srv_name -m beg {backend.candidates[0].release}: }}"
    return [
        f"retries {min(max(LEAST_RETRIES, retries), MOST_RETRIES)}",
        "option allbackups",
        "stick-table type string size 10 expire 24h store gpc0",
        f"http-request track-sc0 str({FAILURES_KEY})",
        f"http-after-response set-var(txn.failures) sc0_inc_gpc0 if {{ status 500:599 }} {is_candidate}",
    ]


def _backups(backend: Backend) -> list[str]:
    """Return the committed replicas once more, for requests whose candidates are all taken out when they are tried.

    At cutover they have no weight of their own, and which backend is asked was decided before.
    """
    return [
        f"server {server.name}{BACKUP_SUFFIX} {server.container}:{server.port}"
        f" track {backend.service}/{server.name} backup"
        for server in backend.currents
    ]


def _unchecked(servers: Iterable[Server]) -> list[str]:
    """Return replicas' lines without a share and a check."""
    return [f"server {server.name} {server.container}:{server.port}" for server in servers]


def _backend(
    name: str,
    backend: Backend,
    servers: list[str],
    settings: EdgeSettings,
    *,
    is_trial: bool,
    is_checked: bool = True,
) -> str:
    """Return one backend; what is not safe to send twice is never retried after it was sent.

    What is, is sent when all of it has come: HAProxy repeats only what it has whole, and a body often comes after its
    headers. It waits no longer than for any client, and only until its buffer is full: a request of more than 15 KiB is
    sent once.
    """
    repeatable = " or ".join(
        ["METH_GET", "{ method OPTIONS }", *(f"{{ path {path} }}" for path in backend.repeatable_paths)]
    )
    lines = [
        "balance roundrobin",
        f"retry-on {RETRY_ON_TRIAL if is_trial else RETRY_ALWAYS}",
        f"http-request disable-l7-retry unless {repeatable}",
        f"http-request wait-for-body time {milliseconds(settings.client_seconds)} if {repeatable}",
    ]
    lines.append(_release_header())
    if is_checked and backend.readiness:
        readiness = backend.readiness
        lines += [
            "option httpchk",
            f"http-check send meth GET uri {readiness.path} hdr Host edge.internal",
            "http-check expect status 200-299",
            f"http-check expect rstring {_json_member(readiness.field, readiness.equals)}",
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
        limited = f"observe layer7 error-limit {_limit(backend, settings)} on-error mark-down"
        return f"{line} inter 1s fall 3 rise 1000 {limited}"
    return f"{line} inter 2s fastinter 500ms downinter 500ms fall 2 rise 1"


def _limit(backend: Backend, settings: EdgeSettings) -> int:
    """Return how many failures in a row take one of the candidate's replicas out."""
    return max(1, settings.max_failures // len(backend.candidates))


def _json_member(field: str, value: str) -> str:
    """Return a regular expression for a member of a JSON object, as the configuration quotes it.

    One of the answer's own members is not mistaken for one of the same name in an object within: what stands before it
    closes whatever it opens, braces in strings apart. Where the path has dots, its last part is looked for anywhere.
    Nothing is ever given back that was matched: HAProxy has little room to remember what else could be tried, and where
    a long answer needs more, it does not match.
    """
    space, (path, _, key) = "[[:space:]]*", field.rpartition(".")
    name = f'\\"{escape(key)}\\"{space}:'
    piece = plain = r"[^{}\"]++|\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\""
    for _ in range(DEEPEST):
        piece = f"{plain}|[{{](?>{piece})*+[}}]"
    before = "" if path else f"^{space}[{{](?:(?!{name})(?>{piece}))*+"
    return f'{before}{name}{space}\\"?{_spaced(value)}\\"?{space}[,}}]'
