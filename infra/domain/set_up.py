"""What a host is set up with whose change requests notice, and that change in words, before it is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from infra.domain.compose import INTERPOLATION
from infra.domain.release import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

SEPARATOR = "-"
"""Between the two hashes of a data service."""


def edge_layout(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the container that holds the edge's ports is made for: with another layout it is made anew."""
    shared = (request["http_port"], request["https_port"])
    first = request["verify_base_port"]
    return {
        "network": request["network"],
        "address": request["bind_address"],
        "ports": sorted({port for port in (*shared, *request["public_ports"]) if port}),
        "loopback ports": [first, first + request["verify_count"] - 1],
    }


def core_prints(compose: Mapping[str, Any], secrets: Mapping[str, str], key: str) -> dict[str, str]:
    """Return two keyed hashes of each data service: of its part of the compose file, and of the secrets it gets."""
    prints = {}
    for name, service in compose["services"].items():
        text = json.dumps(service, sort_keys=True)
        used = {secret: secrets.get(secret, "") for secret in sorted(set(INTERPOLATION.findall(text)))}
        prints[name] = SEPARATOR.join(fingerprint(key, name, part) for part in (text, json.dumps(used)))
    return prints


def describe_set_up(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return one line per change that requests notice; hosts of which nothing is known, as new ones, have none.

    `old` and `new` have by host what `edge_layout` (`edge`) and `core_prints` (`core`) return.
    """
    hosts: dict[str, list[str]] = {}
    for host, after in new.items():
        before = old.get(host) or {}
        for line in (*_of_edge(before.get("edge"), after["edge"]), *_of_core(before.get("core"), after["core"])):
            hosts.setdefault(line, []).append(host)
    return [f"{', '.join(names)}: {line}" for line, names in hosts.items()]


def _of_edge(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """Return the change of an edge in words."""
    if not before or before == after:
        return []
    changed = [what for what in after if before.get(what) != after[what]]
    words = "; ".join(f"{what} {_shown(before.get(what))} → {_shown(after[what])}" for what in changed)
    return [f"the edge is made anew, and for some seconds nobody answers there: {words}"]


def _of_core(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> list[str]:
    """Return the change of data services in words: those that are made anew, and those that go."""
    if not before or after is None:
        return []
    anew = [name for name in after if name in before and before[name] != after[name]]
    secret = [name for name in anew if _secrets_of(before[name]) != _secrets_of(after[name])]
    plain = [name for name in anew if name not in secret]
    gone = [name for name in before if name not in after]
    told = {
        "made anew: requests that need it wait, or fail, until it answers": plain,
        "made anew with other secrets than the serving release has: "
        "requests that need it fail until the new release serves": secret,
        "removed: requests that need it fail": gone,
    }
    return [f"{', '.join(names)} {words}" for words, names in told.items() if names]


def _secrets_of(prints: str) -> str:
    """Return the hash of a data service's secrets."""
    return prints.rpartition(SEPARATOR)[2]


def _shown(value: object) -> str:
    """Return a value of a layout as a person writes it."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
