"""What the edges of all hosts have counted of the candidate and of the release that it is to replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.checks.target import web_services
from infra.domain.canary import Average, Sample, Times, merge, sample, times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.rollout.context import RolloutContext

    Readings = Mapping[str, Mapping[str, Any]]
    """The answer to `hostctl counters` of each host."""

TIMEOUT_SECONDS = 20.0


class Counters:
    """The counters of `context.release` and of the release `current`, on all hosts together."""

    def __init__(self, context: RolloutContext, current: str) -> None:
        """Prepare to read them."""
        self._context = context
        self._current = current

    def read(self) -> Readings:
        """Ask every host; raise its error where one does not answer."""
        return self._context.group.each(lambda client: client.call("counters", timeout_seconds=TIMEOUT_SECONDS))

    def services(self, readings: Readings) -> list[str]:
        """Return the web services that the candidate has; earlier releases may have had others."""
        counted = {service for reading in readings.values() for service in reading["services"]}
        return sorted(counted & set(web_services(self._context.settings)))

    def samples(self, service: str, before: Readings, after: Readings) -> tuple[Sample, Sample]:
        """Return what the candidate and what the current release did on all hosts between two readings."""
        candidate, current = (
            merge(
                [
                    sample(
                        before[host]["services"].get(service, {}).get(release, {}),
                        reading["services"].get(service, {}).get(release, {}),
                    )
                    for host, reading in after.items()
                ]
            )
            for release in (self._context.release, self._current)
        )
        return candidate, current

    def times(self, service: str, readings: Sequence[Readings]) -> tuple[Times, Times]:
        """Return how long the requests of candidate and current took, on all hosts, from the first reading on."""
        candidate, current = (
            times(_replicas(service, release, readings)) for release in (self._context.release, self._current)
        )
        return candidate, current


def _replicas(service: str, release: str, readings: Sequence[Readings]) -> list[list[Average]]:
    """Return the averages of each replica in each worker; one that comes later has begun at nothing."""
    seen: dict[tuple[str, str], list[Average]] = {}
    for index, reading in enumerate(readings):
        for host, told in reading.items():
            for replica, numbers in told["services"].get(service, {}).get(release, {}).get("replicas", {}).items():
                averages = seen.setdefault((host, replica), [Average()] if index else [])
                averages.append(Average(requests=numbers["requests"], mean_ms=numbers["time_ms_average"]))
    return list(seen.values())
