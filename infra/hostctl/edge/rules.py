"""Which backend a frontend sends a request to, also while two releases with different services are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .backends import fallback_name, too_many_failures
from .text import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .routing import Backend
    from .settings import EdgeSettings

Rule = tuple[str, "Backend"]
"""A path prefix, `/` for all paths, and who answers there."""


def ordered(rules: Iterable[Rule]) -> list[Rule]:
    """Return the rules in the order that HAProxy tries them: the longest prefix first.

    Of one prefix a service that only the candidate has comes first, for it is passed over until it has requests. One
    that only the committed release has comes before one that both have: it keeps its paths until the commit.
    """
    return sorted(rules, key=lambda rule: (-len(rule[0]), bool(rule[1].currents), bool(rule[1].candidates)))


def choices(settings: EdgeSettings, rules: Sequence[Rule]) -> list[str]:
    """Return the lines that choose a backend; `rules` are in order."""
    lines = []
    for index, (prefix, backend) in enumerate(rules):
        condition = path_condition(prefix)
        if backend.currents:
            lines += _shared(settings, backend, condition)
        else:
            lines += _new(settings, backend, _before(prefix, rules[index + 1 :]), condition)
    return lines


def path_condition(prefix: str) -> str:
    """Return the condition of a path prefix, matched by whole segments; nothing for all paths."""
    return "" if prefix == "/" else f"{{ path -m reg ^{escape(prefix.rstrip('/'))}(/|$) }}"


def _shared(settings: EdgeSettings, backend: Backend, condition: str) -> list[str]:
    """Return the lines of a service of the committed release, which stands by for the candidate."""
    fallback, service = fallback_name(backend.service), backend.service
    lines = [_use(fallback, condition, f"{{ nbsrv({service}) eq 0 }}")]
    if backend.candidates:
        lines.append(_use(fallback, condition, too_many_failures(settings, service)))
    return [*lines, _use(service, condition)]


def _new(settings: EdgeSettings, backend: Backend, before: Backend | None, condition: str) -> list[str]:
    """Return the lines of a service that only the candidate has; `before` is who answers there until it has requests.

    Replicas without weight do not count for `nbsrv`, so it goes with the weights, without a reload. Where `before` is
    in both releases, only the committed one answers for a service whose candidates are taken out: the candidate's has
    given the path away.
    """
    service = backend.service
    if before is None:
        return [_use(service, condition)]
    lines = [_use(service, condition, f"{{ nbsrv({service}) gt 0 }}", f"!{too_many_failures(settings, service)}")]
    if before.candidates:
        has_requests = f"{{ srv_uweight({service}/{backend.candidates[0].name}) gt 0 }}"
        lines.append(_use(fallback_name(before.service), condition, has_requests))
    return lines


def _before(prefix: str, later: Iterable[Rule]) -> Backend | None:
    """Return the service of the committed release that a path goes to when the rules before are passed over."""
    path = prefix.rstrip("/") + "/"
    return next(
        (backend for other, backend in later if backend.currents and path.startswith(other.rstrip("/") + "/")), None
    )


def _use(backend: str, *conditions: str) -> str:
    """Return the line that chooses a backend when all conditions hold that are not empty."""
    given = " ".join(condition for condition in conditions if condition)
    return f"use_backend {backend} if {given}" if given else f"use_backend {backend}"
