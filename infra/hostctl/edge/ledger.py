"""Counters per service and release that survive reloads and restarts of HAProxy, which begins at zero each time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .stats import ServerStat

COUNTED = (
    "requests",
    "http_2xx",
    "http_3xx",
    "http_4xx",
    "http_5xx",
    "connect_errors",
    "response_errors",
    "retries",
    "redispatches",
)


@dataclass
class Ledger:
    """`totals` by service and release; `seen` is each worker's last reading, so that only what is new is added."""

    totals: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    seen: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> Ledger:
        """Return a ledger from its file."""
        return cls(totals=dict((value or {}).get("totals", {})), seen=dict((value or {}).get("seen", {})))

    def to_json(self) -> dict[str, Any]:
        """Return the ledger as JSON."""
        return {"totals": self.totals, "seen": self.seen}

    def fold(self, readings: Mapping[str, Iterable[ServerStat]], *, silent: tuple[str, ...] = ()) -> None:
        """Add what is new in the readings of the workers that live; forget the workers that are gone.

        Workers whose keys begin with one of `silent` live and could not be read: forgotten, they would be counted
        again from zero when they answer.
        """
        seen = {worker: counts for worker, counts in self.seen.items() if worker.startswith(silent)}
        for worker, stats in readings.items():
            before = self.seen.get(worker, {})
            now = {}
            for stat in stats:
                if stat.is_verify:
                    continue
                key = f"{stat.backend}/{stat.server}"
                now[key] = {name: getattr(stat, name) for name in COUNTED}
                self._add(stat, now[key], before.get(key, {}))
            seen[worker] = now
        self.seen = seen

    def keep(self, releases: Iterable[str]) -> None:
        """Forget the totals of all other releases."""
        kept = set(releases)
        self.totals = {
            service: {release: counts for release, counts in by_release.items() if release in kept}
            for service, by_release in self.totals.items()
        }

    def _add(self, stat: ServerStat, now: dict[str, int], before: dict[str, int]) -> None:
        """Add the difference of two readings of a replica."""
        totals = self.totals.setdefault(stat.service, {}).setdefault(stat.release, dict.fromkeys(COUNTED, 0))
        for name in COUNTED:
            last = before.get(name, 0)
            totals[name] += now[name] - last if now[name] >= last else now[name]
