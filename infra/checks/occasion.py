"""The occasions on which checks are asked, and which checks those are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.settings.suite import ROUND_TRIP_SECONDS, Suite

if TYPE_CHECKING:
    from infra.settings.checks import Checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """When checks are asked, and which: `passes` and `at_most_seconds` bound what the stack says."""

    checks: tuple[str, ...]
    walks: bool = False
    passes: int | None = None
    at_most_seconds: float = 3600.0
    keeps_jobs: bool = False

    def limit_seconds(self, checks: Checks) -> float:
        """Return when all of it ends: what a stack gives a round trip beyond the usual time, the occasion gives too."""
        trips = {"queue": checks.suite.queue, "vector_store": checks.suite.vector_store}
        more = sum(
            max(0.0, trip.within_seconds - ROUND_TRIP_SECONDS) for name, trip in trips.items() if name in self.checks
        )
        return min(checks.timeout_seconds, self.at_most_seconds + more)


BEFORE = Occasion(checks=("replicas", "readiness", "health", "disk_space", "tls"), passes=1, at_most_seconds=10)
"""Before anything starts: what a release would be blamed for, quick and without leaving anything behind."""

CANDIDATE = Occasion(checks=("replicas", "readiness", "health", "version"), walks=True, keeps_jobs=True)
"""The candidate alone, before it gets any traffic."""

RETURNING = Occasion(checks=("readiness", "health", "version"), passes=1)
"""A candidate in its kept containers, each of which its host has just found ready: it has walked a user's path before,
and does so again at the public address, where users wait for it."""

PUBLIC = Occasion(
    checks=("replicas", "readiness", "health", "version", "disk_space", "tls", "metrics", "redirect"), walks=True
)
"""The public address after the cutover; the smoke test covers what the other checks of the app would ask again."""

AFTER_REVERT = Occasion(checks=("readiness", "health"))
"""The release before, once it serves again."""

BY_HAND = Occasion(checks=tuple(Suite.model_fields), at_most_seconds=10)
"""`acp-release check`."""

SMOKE_BY_HAND = Occasion(checks=(), walks=True)
"""`acp-release smoke`."""
