"""`counters`: requests, failures and times per service and release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..edge.stats import ServerStat
    from ..fields import Fields
    from ..host import Host

FAILURES = ("http_5xx", "response_errors", "connect_errors", "redispatches")


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Return whole counts since each release was first routed, and what the edge says of its replicas now."""
    fields.done()
    ledger, survey = host.edge.fold_counters()
    stats = [stat for stat in host.edge.stats() if stat.is_routed]
    services: dict[str, dict[str, dict[str, Any]]] = {}
    for service, releases in ledger.totals.items():
        for release, counts in releases.items():
            now = [stat for stat in stats if (stat.service, stat.release) == (service, release)]
            shown = {**counts, "failures": sum(counts[name] for name in FAILURES), **_now(now)}
            shown["replicas"] = {
                f"{reading.key}/{stat.server}": {"requests": stat.requests, "time_ms_average": stat.time_ms_average}
                for reading in survey.readings
                for stat in reading.stats
                if stat.is_routed and (stat.service, stat.release) == (service, release)
            }
            services.setdefault(service, {})[release] = shown
    return {"at": round(host.clock.monotonic(), 3), "services": services}


def _now(stats: list[ServerStat]) -> dict[str, Any]:
    """Return what is so at this moment."""
    requests = sum(stat.requests for stat in stats)
    weighted = sum(stat.time_ms_average * stat.requests for stat in stats)
    return {
        "time_ms_average": round(weighted / requests, 1) if requests else None,
        "sessions": sum(stat.sessions for stat in stats),
        "up": sum(stat.is_up for stat in stats),
        "servers": len(stats),
        "weight": sum(stat.weight for stat in stats),
    }
