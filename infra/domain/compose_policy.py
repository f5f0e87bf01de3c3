"""What every rendered compose file of a stack must have; each rule is one function, and says what is wrong where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

PINNED = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")
NUMERIC_USER = re.compile(r"^(\d+)(:(\d+))?$")
DURATION = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$")
NO_NEW_PRIVILEGES = frozenset({"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"})
HOST_NAMESPACES = ("cgroup", "ipc", "network_mode", "pid", "userns_mode", "uts")
REACHING_OUT = ("cap_add", "device_cgroup_rules", "devices", "privileged", "volumes_from")
LIMITS = ("cpus", "mem_limit", "pids_limit")
ALL_INTERFACES = frozenset({"", "0.0.0.0", "::", "[::]"})  # noqa: S104 - what is refused

Service = dict[str, Any]


def compose_problems(
    document: Mapping[str, Any], *, drain_seconds: Mapping[str, float], networks: frozenset[str]
) -> list[str]:
    """Return every breach of a rule as `path: message`.

    `drain_seconds` has the time that running work of a compose service gets; `networks` the names, as Docker knows
    them, of the networks that this file may use.
    """
    problems = list(_networks(document, networks))
    for name, service in (document.get("services") or {}).items():
        for rule in RULES:
            problems += [f"services.{name}.{problem}" for problem in rule(service)]
        if name in drain_seconds:
            problems += [f"services.{name}.{problem}" for problem in grace_exceeds_drain(service, drain_seconds[name])]
    return problems


def unreached(document: Mapping[str, Any], *, services: Iterable[str], network: str) -> list[str]:
    """Return the problem of each of `services` that is not on `network`: the edge would find none of its containers.

    `services` are names in the file; `network` is the edge's, as Docker knows it, which the file may call otherwise.
    """
    declared = document.get("networks") or {}
    keys = {key for key, entry in declared.items() if (entry or {}).get("name") == network}
    return [
        f"services.{name}.networks: must have `front`, on which the edge reaches a web service"
        for name in services
        if not keys & set(document["services"][name].get("networks") or [])
    ]


def image_is_pinned(service: Service) -> Iterator[str]:
    """An image is named by digest."""
    if not PINNED.match(str(service.get("image", ""))):
        yield f"image: must be repository@sha256:… (got {service.get('image')!r})"


def user_is_numeric(service: Service) -> Iterator[str]:
    """A container runs under a numeric id that is not root's: a name means whatever the image says."""
    found = NUMERIC_USER.match(str(service.get("user", "")))
    if not found or int(found[1]) == 0 or found[3] == "0":
        yield f"user: must be a numeric id other than 0 (got {service.get('user')!r})"


def capabilities_are_dropped(service: Service) -> Iterator[str]:
    """A container has no capabilities at all."""
    if "ALL" not in {str(capability).upper() for capability in service.get("cap_drop") or []}:
        yield "cap_drop: must have ALL"


def privileges_stay(service: Service) -> Iterator[str]:
    """A set-uid program gives nothing."""
    if not NO_NEW_PRIVILEGES & {str(option) for option in service.get("security_opt") or []}:
        yield "security_opt: must have no-new-privileges:true"


def isolation_stays(service: Service) -> Iterator[str]:
    """Nothing weakens what Docker does by itself."""
    for option in service.get("security_opt") or []:
        if str(option) not in NO_NEW_PRIVILEGES:
            yield f"security_opt: {option} takes protection away"
    for key in REACHING_OUT:
        if service.get(key):
            yield f"{key}: is not allowed"


def root_is_read_only(service: Service) -> Iterator[str]:
    """What a container writes goes to a volume or a tmpfs of a given size."""
    if service.get("read_only") is not True:
        yield "read_only: must be true"
    entries = service.get("tmpfs") or []
    for entry in [entries] if isinstance(entries, str) else entries:
        if not re.search(r"[:,]size=\d", str(entry)):
            yield f"tmpfs: {entry} needs a size"


def limits_are_set(service: Service) -> Iterator[str]:
    """Processes, memory and CPU are limited."""
    for key in LIMITS:
        if not _positive(service.get(key)):
            yield f"{key}: must be set"


def health_is_checked(service: Service) -> Iterator[str]:
    """A container tells whether it is healthy."""
    check = service.get("healthcheck") or {}
    if check.get("disable") or not check.get("test") or check["test"] in (["NONE"], "NONE"):
        yield "healthcheck: must have a test"


def logs_rotate(service: Service) -> Iterator[str]:
    """Logs cannot fill the disk."""
    options = (service.get("logging") or {}).get("options") or {}
    for key in ("max-size", "max-file"):
        if not options.get(key):
            yield f"logging.options.{key}: must be set"


def namespaces_are_own(service: Service) -> Iterator[str]:
    """No namespace is the host's or another container's."""
    for key in HOST_NAMESPACES:
        value = str(service.get(key) or "")
        if value == "host" or value.startswith(("container:", "service:")):
            yield f"{key}: {value} is not allowed"


def host_paths_stay_out(service: Service) -> Iterator[str]:
    """No path of the host is mounted, the Docker socket least of all."""
    for volume in service.get("volumes") or []:
        if isinstance(volume, dict):
            source = str(volume.get("source", "")) if volume.get("type") not in {"volume", "tmpfs"} else ""
            shown = source or str(volume.get("type"))
            bad = volume.get("type") not in {"volume", "tmpfs"}
        else:
            shown, separator, _ = str(volume).partition(":")
            bad = bool(separator) and shown[:1] in {"/", ".", "~", "$"}
        if bad:
            yield f"volumes: {shown} is a path of the host"


def ports_have_an_interface(service: Service) -> Iterator[str]:
    """A published port is bound to one interface."""
    for port in service.get("ports") or []:
        address = (
            str(port.get("host_ip", "")) if isinstance(port, dict) else str(port).rpartition(":")[0].rpartition(":")[0]
        )
        if address in ALL_INTERFACES:
            yield f"ports: {port} must name the interface it is bound to"


def grace_exceeds_drain(service: Service, drain_seconds: float) -> Iterator[str]:
    """Docker does not kill what is still draining."""
    period = str(service.get("stop_grace_period", "10s"))
    grace = seconds_of(period)
    if grace is None or grace <= drain_seconds:
        yield f"stop_grace_period: must exceed the drain of {drain_seconds:g} s (got {period})"


def seconds_of(duration: str) -> float | None:
    """Return a compose duration in seconds, None when it is none."""
    found = DURATION.match(duration)
    if not duration or not found:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _networks(document: Mapping[str, Any], allowed: frozenset[str]) -> Iterator[str]:
    """Yield networks that are not those which Pulumi made for this file: a data network is internal there."""
    declared = document.get("networks") or {}
    for name, network in declared.items():
        known_as = (network or {}).get("name")
        if (network or {}).get("external") is not True or known_as not in allowed:
            yield f"networks.{name}: must be external and one of {', '.join(sorted(allowed))} (got {known_as})"
    for name, service in (document.get("services") or {}).items():
        used = service.get("networks") or []
        for network in used or ["default"]:
            if network not in declared:
                yield f"services.{name}.networks: {network} is not declared"


def _positive(value: object) -> bool:
    """Return whether a limit limits: zero and -1 mean none."""
    found = re.match(r"\d+(\.\d+)?", str(value))
    return found is not None and float(found[0]) > 0


RULES: tuple[Callable[[Service], Iterator[str]], ...] = (
    image_is_pinned,
    user_is_numeric,
    capabilities_are_dropped,
    privileges_stay,
    isolation_stays,
    root_is_read_only,
    limits_are_set,
    health_is_checked,
    logs_rotate,
    namespaces_are_own,
    host_paths_stay_out,
    ports_have_an_interface,
)
