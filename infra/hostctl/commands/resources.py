"""`resources`: what the host and the containers of releases use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from .. import fleet
from ..resources import read_resources
from ..usage import oom_kills, open_connections

if TYPE_CHECKING:
    from ..engine import Container
    from ..fields import Fields
    from ..host import Host
    from ..spec import ReleaseSpec

NANOSECONDS = 1e9


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Return figures of the host and of every container of a release that serves, is on trial or retires."""
    fields.done()
    state = host.state
    found: list[tuple[ReleaseSpec, Container]] = []
    for release in sorted(state.known - set(state.parked)):
        spec = fleet.load_spec(host, release)
        found += [(spec, container) for container in fleet.containers(host, spec)]
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(found)))) as pool:
        rows = list(pool.map(lambda pair: _row(host, *pair), found))
    resources = read_resources(str(host.engine.info().get("DockerRootDir", "/")))
    return {"host": resources.to_json(), "containers": rows}


def _row(host: Host, spec: ReleaseSpec, container: Container) -> dict[str, Any]:
    """Return one container's figures; one that has ended uses nothing, but says why it ended."""
    service = spec.service_of(container.service)
    kills = oom_kills(container.pid) if container.pid else None
    return {
        "name": container.name,
        "release": spec.release,
        "service": service.name if service else container.service,
        "state": container.state,
        "restarts": container.restarts,
        "oom_kills": max(kills or 0, int(container.is_oom_killed)),
        "connections": open_connections(container.pid) if container.pid else 0,
        "disk_bytes": host.engine.writable_bytes(container.name),
        **_use(host.engine.stats(container.name) if container.is_running else {}),
    }


def _use(stats: dict[str, Any]) -> dict[str, Any]:
    """Return what Docker's reading says of memory and processor; the page cache does not count as memory."""
    memory = stats.get("memory_stats") or {}
    inner = memory.get("stats") or {}
    cache = inner.get("total_inactive_file", inner.get("inactive_file", 0))
    processor = (stats.get("cpu_stats") or {}).get("cpu_usage", {})
    return {
        "memory_bytes": max(0, int(memory.get("usage", 0)) - int(cache)),
        "memory_limit_bytes": int(memory.get("limit", 0)),
        "cpu_seconds": round(processor.get("total_usage", 0) / NANOSECONDS, 3),
        "pids": int((stats.get("pids_stats") or {}).get("current", 0)),
    }
