"""How moments, durations, events and keys are said on the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.domain.four_keys import moment

if TYPE_CHECKING:
    from infra.domain.four_keys import Key
    from infra.domain.history import Event

MINUTE_SECONDS = 60
HOUR_SECONDS = 3600
DAY_SECONDS = 86400
UNKNOWN = "-"
FAILED_MARK = "✕"
SIGNS = {
    "release": ("●", "released", "release failed"),
    "promotion": ("■", "promoted", "promotion failed"),
    "rollback": ("◆", "rolled back", "rollback failed"),
    "revert": ("▼", "host went back by itself", "host could not go back"),
    "other": ("○", "set up", "set-up failed"),
}
"""Sign, and words for an event that succeeded and one that failed: neither needs colour."""

OPERATIONS = {"refresh": ("refreshed", "refresh failed"), "destroy": ("destroyed", "destroy failed")}
"""The words for what Pulumi did besides updates."""


def sign(event: Event) -> str:
    """Return the sign of an event; one that failed has a cross, whatever it was."""
    return SIGNS[event.kind][0] if event.outcome == "succeeded" else FAILED_MARK


def happened(event: Event) -> str:
    """Return in words what happened."""
    succeeded, failed = SIGNS[event.kind][1:]
    if event.kind == "other" and event.operation not in {"", "update"}:
        succeeded, failed = OPERATIONS.get(event.operation, (event.operation, f"{event.operation} failed"))
    return succeeded if event.outcome == "succeeded" else failed


def duration(seconds: float | None) -> str:
    """Return a duration for people."""
    if seconds is None:
        return UNKNOWN
    if seconds < MINUTE_SECONDS:
        return f"{seconds:.1f} s"
    if seconds < HOUR_SECONDS:
        return f"{seconds / MINUTE_SECONDS:.1f} min"
    if seconds < DAY_SECONDS:
        return f"{seconds / HOUR_SECONDS:.1f} h"
    return f"{seconds / DAY_SECONDS:.1f} days"


def at(text: str) -> str:
    """Return a moment in UTC to the minute."""
    return f"{moment(text):%Y-%m-%d %H:%M}" if text else UNKNOWN


def value_of(key: Key) -> str:
    """Return the value of one of the four keys, or why there is none."""
    if key.value is None:
        return f"not enough data: {key.missing}"
    if key.unit == "seconds":
        return duration(key.value)
    return f"{key.value:.0%}" if key.unit == "share" else f"{key.value:g} per week"
