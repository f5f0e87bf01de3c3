"""What a release's compose file may ask for: what an app needs, and nothing that reaches the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .fields import Fields

SERVICE_KEYS = frozenset(
    [
        "annotations",
        "attach",
        "cap_drop",
        "command",
        "cpu_count",
        "cpu_percent",
        "cpu_shares",
        "cpus",
        "cpuset",
        "depends_on",
        "deploy",
        "entrypoint",
        "environment",
        "expose",
        "healthcheck",
        "hostname",
        "image",
        "init",
        "labels",
        "logging",
        "mem_limit",
        "mem_reservation",
        "mem_swappiness",
        "memswap_limit",
        "networks",
        "oom_score_adj",
        "pids_limit",
        "platform",
        "pull_policy",
        "read_only",
        "restart",
        "scale",
        "security_opt",
        "shm_size",
        "stdin_open",
        "stop_grace_period",
        "stop_signal",
        "tmpfs",
        "tty",
        "ulimits",
        "user",
        "volumes",
        "working_dir",
    ]
)
TOP_KEYS = frozenset({"name", "networks", "services", "version", "volumes"})
SECURITY_OPTIONS = frozenset({"no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"})


def check_compose(fields: Fields, compose: dict[str, Any], images: tuple[str, ...], stack: str) -> None:
    """Record in `fields` everything in a release's compose file that a release may not ask for."""
    for path, text in _problems(compose, frozenset(images), stack):
        fields.problem(f"compose.{path}", text)


def new_problems(compose: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what only a release to be made is asked for: hosts may have kept one that was allowed it."""
    for name, service in _part(compose, "services").items():
        if _part(service, "deploy", "resources", "reservations").get("devices"):
            yield f"services.{name}.deploy.resources.reservations.devices", "is not allowed in a release"


def _problems(compose: dict[str, Any], images: frozenset[str], stack: str) -> Iterator[tuple[str, str]]:
    """Yield the path and text of each problem."""
    for key in compose:
        if key not in TOP_KEYS and not key.startswith("x-"):
            yield key, "is not allowed in a release"
    for kind in ("networks", "volumes"):
        yield from _shared(kind, compose.get(kind) or {}, f"acp-{stack}-")
    services = compose.get("services")
    if not isinstance(services, dict) or not services:
        yield "services", "must be an object with at least one service"
        return
    for name, service in services.items():
        yield from ((f"services.{name}{'.' if path else ''}{path}", text) for path, text in _service(service, images))


def _shared(kind: str, entries: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield networks or volumes that are not the stack's own."""
    if not isinstance(entries, dict):
        yield kind, "must be an object"
        return
    for name, entry in entries.items():
        external = isinstance(entry, dict) and entry.get("external") is True
        if not external or not str(entry.get("name", name)).startswith(prefix):
            yield f"{kind}.{name}", f"must be external, with a name that starts with {prefix}"
        elif set(entry) - {"external", "name"}:
            yield f"{kind}.{name}", "may only have external and name"


def _service(service: Any, images: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the problems of one compose service."""
    if not isinstance(service, dict):
        yield "", "must be an object"
        return
    for key in service:
        if key not in SERVICE_KEYS and not key.startswith("x-"):
            yield key, "is not allowed in a release"
    if service.get("image") not in images:
        yield "image", "must be one of spec.images, by digest"
    for option in service.get("security_opt") or []:
        if option not in SECURITY_OPTIONS:
            yield "security_opt", f"{option!r} is not allowed in a release"
    for index, volume in enumerate(service.get("volumes") or []):
        if not _is_harmless(volume):
            yield f"volumes[{index}]", "must be a named volume or tmpfs, not a path of the host"


def _part(value: Any, *keys: str) -> dict[str, Any]:
    """Return the object under `keys`, empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _is_harmless(volume: Any) -> bool:
    """Return whether a volume of a service is not a path of the host."""
    if isinstance(volume, dict):
        return volume.get("type") in {"volume", "tmpfs"}
    source, separator, _ = str(volume).partition(":")
    return not separator or (bool(source) and source[0] not in "/.~$")
