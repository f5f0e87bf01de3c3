"""What a rendered compose file refers to and does not have: Compose says so on a host only, or takes it for nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)|([A-Za-z_][A-Za-z0-9_]*))?")
"""What Compose replaces, as `${NAME}`, `${NAME:-default}` or `$NAME`; a `$` with neither group is an error to it."""


def missing_parts(document: Mapping[str, Any]) -> list[str]:
    """Return each service and volume that a service asks for and the file does not have, as `path: message`."""
    services, volumes = document["services"], document.get("volumes") or {}
    problems = []
    for name, service in services.items():
        problems += [
            f"services.{name}.depends_on: there is no service {wanted} in this file; take it out "
            "(a data service runs before any release starts)"
            for wanted in _needed(service.get("depends_on") or [])
            if wanted not in services
        ]
        problems += [
            f"services.{name}.volumes: {volume} is not declared; declare it under `volumes` as "
            "{external: true, name: acp-STACK-NAME}, or use tmpfs with a size"
            for volume in filter(None, map(_named, service.get("volumes") or []))
            if volume not in volumes
        ]
    return problems


def missing_values(document: Mapping[str, Any], provided: Collection[str]) -> list[str]:
    """Return each `${NAME}` and `$NAME` that is not `provided`, and each lone `$`, as `path: message`.

    No value is shown: it may be a secret.
    """
    return [
        f"{path}: {_unprovided(name)}"
        for key in ("services", "networks", "volumes")
        for path, text in _texts(key, document.get(key))
        for name in dict.fromkeys(found[1] or found[2] for found in VARIABLE.finditer(text.replace("$$", "")))
        if name not in provided
    ]


def unmade_volumes(document: Mapping[str, Any], made: Collection[str]) -> list[str]:
    """Return each declared volume whose name is not among those `made` on the hosts, as `path: message`."""
    named = {key: (volume or {}).get("name") for key, volume in (document.get("volumes") or {}).items()}
    return [
        f"volumes.{key}: no host has {name}; add it to acp:core.volumes, or correct the name"
        for key, name in named.items()
        if name and name not in made
    ]


def shared_addresses(document: Mapping[str, Any]) -> list[str]:
    """Return each address under `environment` that has a service's bare name for a host, as `path: message`.

    On the stack's networks every release beside this one answers to that name too, so that a candidate would ask the
    release that it is to replace.
    """
    found = {host: re.compile(rf"//(?:[^/\s@]*@)?{re.escape(host)}(?=[:/?]|$)") for host in document["services"]}
    return [
        f"services.{name}.environment.{key}: {host} is answered by the releases beside this one too; write "
        f"@PROJECT@-{host}, which services.{host}.networks.front.aliases has to name"
        for name, service in document["services"].items()
        for key, value in (service.get("environment") or {}).items()
        for host, address in found.items()
        if address.search(str(value))
    ]


def _needed(depends_on: Any) -> list[str]:
    """Return the services that must be there: not one that is said to be optional."""
    if not isinstance(depends_on, dict):
        return [str(name) for name in depends_on]
    return [name for name, how in depends_on.items() if not (isinstance(how, dict) and how.get("required") is False)]


def _named(volume: Any) -> str | None:
    """Return the named volume that an entry of a service mounts, None for tmpfs, an anonymous one, or a host's path."""
    if isinstance(volume, dict):
        return str(volume["source"]) if volume.get("type") == "volume" and volume.get("source") else None
    source, separator, _ = str(volume).partition(":")
    return source if separator and source[:1] not in {"", "/", ".", "~", "$"} else None


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every text in `value` with its path; names of keys are not looked at, as Compose leaves them alone."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(f"{path}.{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(f"{path}[{index}]", item)


def _unprovided(name: str | None) -> str:
    """Return what is wrong with a variable that nothing on a host gives, or with a `$` that begins none."""
    if name is None:
        return "Compose takes a `$` for the start of a variable; write `$$`"
    return (
        f"nothing on a host gives ${{{name}}}; write the value itself, name a secret of acp:secrets.names, "
        f"or write $${{{name}}} for the container's own"
    )
