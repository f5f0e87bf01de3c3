"""Waiting until a release has no requests left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import HostctlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .edge.control import WorkerReading
    from .host import Host
    from .spec import ReleaseSpec

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Left:
    """Requests of a service that a release has, and connections of old workers that would send it the next ones."""

    service: str
    sessions: int


def left_over(readings: Iterable[WorkerReading], release: str) -> list[Left]:
    """Return what depends on `release`: its running requests, and clients of old workers that would ask it next."""
    found: dict[str, int] = {}
    for reading in readings:
        for stat in reading.stats:
            if stat.release == release and stat.sessions and not stat.is_verify:
                found[stat.service] = found.get(stat.service, 0) + stat.sessions
        if reading.is_old and reading.client_sessions and release in _asked_next(reading):
            found["connections"] = found.get("connections", 0) + reading.client_sessions
    return [Left(service, sessions) for service, sessions in sorted(found.items())]


def wait_drained(host: Host, spec: ReleaseSpec, *, limit_seconds: float = math.inf) -> list[Left]:
    """Wait until nothing depends on a release, each service for its own time and no longer than `limit_seconds`.

    Return what was cut.
    """
    limits = {service.name: service.drain_timeout_seconds for service in spec.web_services}
    longest = min(max([*limits.values(), 0.0]), limit_seconds)
    began = host.clock.monotonic()
    while True:
        try:
            survey = host.edge.survey()
        except HostctlError:
            return []  # no edge: nobody's requests
        left = left_over(survey.readings, spec.release)
        taken = host.clock.monotonic() - began
        waiting = [item for item in left if taken < min(longest, limits.get(item.service, longest))]
        may_have_some = survey.silent and taken < longest
        if not waiting and not may_have_some:
            return left
        host.clock.sleep(POLL_SECONDS)


def _asked_next(reading: WorkerReading) -> set[str]:
    """Return the releases that a worker sends requests to: where no replica is left, those of the fallback."""
    replicas = [stat for stat in reading.stats if stat.is_routed and stat.weight and stat.is_up]
    served = {stat.service for stat in replicas}
    fallbacks = [stat for stat in reading.stats if stat.is_fallback and stat.service not in served]
    return {stat.release for stat in (*replicas, *fallbacks)}
