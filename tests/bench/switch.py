"""When and how fast a release got all traffic, by the journal of its host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.stage import Stage

BEGIN = "start/begin/begin"
END = "cutover/weights/end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One move of all traffic: how long it took from the start of the containers, and when it was (epoch)."""

    seconds: float
    at: float


def switch_of(stage: Stage, release: str) -> Switch:
    """Return how a release got all traffic the last time."""
    moments = {
        f"{entry['phase']}/{entry['step']}/{entry['mark']}": datetime.fromisoformat(entry["at"])
        for entry in stage.view.journal()
        if entry.get("release") == release
    }
    return Switch(seconds=(moments[END] - moments[BEGIN]).total_seconds(), at=moments[END].timestamp())
