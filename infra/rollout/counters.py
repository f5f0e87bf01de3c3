"""What the edges of all hosts have counted of the candidate and of the release that it is to replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.checks.target import web_services
from infra.domain.canary import Sample, merge, sample

if TYPE_CHECKING:
    from collections.abc import Mapping

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
