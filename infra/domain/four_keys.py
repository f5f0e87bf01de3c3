"""The four keys of delivery, from the events of a stack: how often, how fast, how often it went wrong, how soon mended.

Each key has the number of cases it is made of and says so when there are too few: a rate of one case is no rate.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.domain.history import Event

WINDOW_DAYS = 90
SHORTEST_DAYS = 7
FEWEST = 3
"""A rate of change failures of fewer deployments says nothing."""

Unit = Literal["per week", "seconds", "share"]
CHANGES = ("release", "promotion")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: its value, of how many cases it is made, and, where there is no value, why."""

    name: str
    unit: Unit
    value: float | None
    of: int
    missing: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {"name": self.name, "unit": self.unit, "value": self.value, "of": self.of, "missing": self.missing}


def four_keys(events: Sequence[Event], now: datetime, *, window_days: int = WINDOW_DAYS) -> list[Key]:
    """Return the four keys over the last `window_days` before `now`."""
    since = now - timedelta(days=window_days)
    recent = [event for event in events if event.ended_at and since <= moment(event.ended_at) <= now]
    deployments = [event for event in recent if is_deployment(event)]
    return [
        _frequency(deployments, events, now, window_days),
        _lead_time(deployments),
        _failure_rate(deployments, recent),
        _time_to_restore(events, recent),
    ]


def moment(text: str) -> datetime:
    """Return the moment that an event's ISO 8601 text means."""
    return datetime.fromisoformat(text)


def seconds_between(start: str, end: str) -> float | None:
    """Return the seconds from `start` to `end`, None where one of them is not known."""
    return (moment(end) - moment(start)).total_seconds() if start and end else None


def is_deployment(event: Event) -> bool:
    """Return whether the event put a change into service; a rollback brings back what had been there."""
    return event.kind in CHANGES and event.outcome == "succeeded" and event.release != event.replaced


def _frequency(deployments: Sequence[Event], events: Sequence[Event], now: datetime, window_days: int) -> Key:
    """Deployments per week, over the window or the age of the history if that is less."""
    known = [moment(event.ended_at) for event in events if event.ended_at]
    days = min((now - min(known)).total_seconds() / 86400 if known else 0.0, float(window_days))
    if days < SHORTEST_DAYS:
        missing = f"the history is {days:.1f} days long, {SHORTEST_DAYS} are needed"
        return Key(name="deployment frequency", unit="per week", value=None, of=len(deployments), missing=missing)
    per_week = round(len(deployments) / days * 7, 2)
    return Key(name="deployment frequency", unit="per week", value=per_week, of=len(deployments))


def _lead_time(deployments: Sequence[Event]) -> Key:
    """Median time from the commit to serving."""
    times = [seconds_between(event.committed_at, event.ended_at) for event in deployments]
    known = [seconds for seconds in times if seconds is not None and seconds >= 0]
    return _median("lead time for changes", known, "no deployment whose commit time is known")


def _failure_rate(deployments: Sequence[Event], recent: Sequence[Event]) -> Key:
    """Share of deployments that a rollback took back."""
    name: Literal["change failure rate"] = "change failure rate"
    if len(deployments) < FEWEST:
        missing = f"{len(deployments)} deployments, {FEWEST} are needed"
        return Key(name=name, unit="share", value=None, of=len(deployments), missing=missing)
    undone = {event.undoes for event in recent if _is_rollback(event)}
    failed = sum(deployment.release in undone for deployment in deployments)
    return Key(name=name, unit="share", value=round(failed / len(deployments), 4), of=len(deployments))


def _time_to_restore(events: Sequence[Event], recent: Sequence[Event]) -> Key:
    """Median time from a release's first second in service to the end of the rollback that took it back."""
    times = []
    for rollback in recent:
        if not _is_rollback(rollback):
            continue
        served_at = [
            event.ended_at
            for event in events
            if event.outcome == "succeeded"
            and event.release == rollback.undoes
            and event.kind != "revert"
            and event.ended_at
            and moment(event.ended_at) <= moment(rollback.started_at)
        ]
        if served_at:
            times.append((moment(rollback.ended_at) - max(map(moment, served_at))).total_seconds())
    return _median("time to restore", times, "no rollback of a deployment")


def _is_rollback(event: Event) -> bool:
    return event.kind == "rollback" and event.outcome == "succeeded" and bool(event.undoes)


def _median(name: str, seconds: Sequence[float], missing: str) -> Key:
    """Return a key of durations."""
    if not seconds:
        return Key(name=name, unit="seconds", value=None, of=0, missing=missing)
    return Key(name=name, unit="seconds", value=round(statistics.median(seconds), 1), of=len(seconds))
