"""Which releases requests go to, as the live edge says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import HostctlError

if TYPE_CHECKING:
    from .edge.stats import ServerStat
    from .host import Host

POLL_SECONDS = 0.2


def public_stats(host: Host) -> list[ServerStat]:
    """Return what the live edge says, nothing when it does not run."""
    try:
        return [stat for stat in host.edge.stats() if stat.is_routed]
    except HostctlError:
        return []


def service_rows(stats: list[ServerStat]) -> tuple[list[dict[str, Any]], set[str]]:
    """Return each service with its releases, and the releases that requests go to."""
    services: dict[str, dict[str, list[ServerStat]]] = {}
    for stat in stats:
        services.setdefault(stat.service, {}).setdefault(stat.release, []).append(stat)
    serving: set[str] = set()
    rows = []
    for name, releases in services.items():
        live = {release for release, group in releases.items() if any(stat.weight and stat.is_up for stat in group)}
        serving |= live
        rows.append({"name": name, "releases": [_release_row(release, group) for release, group in releases.items()]})
    return rows, serving


def _release_row(release: str, group: list[ServerStat]) -> dict[str, Any]:
    """Return a release's share of one service."""
    return {
        "release": release,
        "weight": sum(stat.weight for stat in group),
        "up": sum(stat.is_up for stat in group),
        "servers": len(group),
        "sessions": sum(stat.sessions for stat in group),
    }


def wait_serving(host: Host, release: str, *, timeout_seconds: float) -> None:
    """Give the edge the time to see that a release answers; whether it did is for the caller to look at."""
    deadline = host.clock.monotonic() + timeout_seconds
    while service_rows(public_stats(host))[1] != {release} and host.clock.monotonic() < deadline:
        host.clock.sleep(POLL_SECONDS)
