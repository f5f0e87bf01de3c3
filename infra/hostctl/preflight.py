"""What a release needs of the host before anything of it is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .resources import Check, check_disk, check_memory, read_resources
from .retention import make_disk, spare

if TYPE_CHECKING:
    from .fields import Fields
    from .host import Host
    from .spec import ReleaseSpec

DEFAULT_DISK_BYTES = 256 * 1024 * 1024


def read_needed(fields: Fields) -> int | None:
    """Read the optional `needed` of a request: the disk space for new images, in bytes."""
    inner = fields.object("needed", optional=True)
    if inner is None:
        return None
    disk = inner.integer("disk_bytes", DEFAULT_DISK_BYTES)
    inner.close()
    return disk


def check_release(host: Host, spec: ReleaseSpec, disk_bytes: int | None) -> list[Check]:
    """Return the checks of room, ports, networks and edge."""
    resources = read_resources(str(host.engine.info().get("DockerRootDir", "/")))
    return [
        check_memory(spec.memory_bytes, resources),
        _disk(host, spec, check_disk(_wanted(host, spec, disk_bytes), resources)),
        _networks(host, spec),
        *_edge(host, spec),
    ]


def make_disk_room(host: Host, spec: ReleaseSpec, disk_bytes: int | None) -> list[str]:
    """Remove other parked releases, the oldest first, while the disk has no room for the release; return them."""

    def is_enough() -> bool:
        resources = read_resources(str(host.engine.info().get("DockerRootDir", "/")))
        return check_disk(_wanted(host, spec, disk_bytes), resources).ok

    return make_disk(host, spec.release, is_enough)


def _wanted(host: Host, spec: ReleaseSpec, disk_bytes: int | None) -> int:
    """Return the room that the release's images need: none when they are here already."""
    has_images = all(host.engine.image(image) is not None for image in spec.images)
    return 0 if has_images else DEFAULT_DISK_BYTES if disk_bytes is None else disk_bytes


def _disk(host: Host, spec: ReleaseSpec, check: Check) -> Check:
    """Return the check of the disk; too little room is no obstacle while other parked releases can go."""
    free = spare(host.state, wanted=spec.release)
    if check.ok or not free:
        return check
    note = (
        f"the disk is short of room: parked releases go first, from {free[0]} on, as many as are needed of {len(free)}"
    )
    return Check("disk", ok=True, detail=check.detail, note=note)


def _networks(host: Host, spec: ReleaseSpec) -> Check:
    """Return whether the networks of the compose file exist."""
    names = [str((entry or {}).get("name", name)) for name, entry in (spec.compose.get("networks") or {}).items()]
    missing = [name for name in names if not host.engine.network_exists(name)]
    detail = f"no network {', '.join(missing)}" if missing else f"{', '.join(names) or 'none needed'}"
    return Check("network", ok=not missing, detail=detail, code="network_missing")


def _edge(host: Host, spec: ReleaseSpec) -> list[Check]:
    """Return whether the edge runs and has the ports of the release."""
    if not host.edge.is_set_up or not host.edge.is_running():
        return [Check("edge", ok=False, detail="HAProxy does not run on this host", code="edge_missing")]
    settings = host.edge.settings
    wanted = [service.routes.public_port for service in spec.web_services if service.routes.public_port]
    missing = [str(port) for port in wanted if port not in settings.public_ports]
    room = len(spec.web_services) <= settings.verify_count
    detail = f"the edge does not publish {', '.join(missing)}" if missing else "published by the edge"
    if not room:
        detail = f"{len(spec.web_services)} web services, but {settings.verify_count} verification ports"
    stack = spec.stack == settings.stack
    return [
        Check("edge", ok=stack, detail=f"set up for the stack {settings.stack}", code="bad_request"),
        Check("ports", ok=room and not missing, detail=detail, code="port_not_published"),
    ]
