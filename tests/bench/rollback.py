"""Figures of a rollback as people make it: with the command, under traffic, from kept containers."""

from __future__ import annotations

import statistics
from datetime import datetime
from typing import TYPE_CHECKING

from tests.bench.figure import Figure
from tests.support.traffic import loss, traffic
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.stage import Stage

REPEATS = 3


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield the seconds from the first change on the host to all traffic back, and from command to prompt."""
    stage.make_good()
    for _ in range(2):
        stage.wait_free()
        result = stage.release()
        assert result.good, result.tail()
    restored, whole = [], []
    with traffic(stage.view.host) as prober:
        for _ in range(REPEATS):
            stage.wait_free()
            target = str(stage.view.status()["previous"])
            result = stage.world.command("rollback", "--stack", STACK, "--to", target, "--yes", check=True)
            restored.append(seconds_to_traffic(stage, target))
            whole.append(result.seconds)
    lost = loss(prober.answers)
    yield Figure(metric="warm_rollback_seconds", value=statistics.median(restored), unit="s", n=REPEATS)
    yield Figure(metric="rollback_command_seconds", value=statistics.median(whole), unit="s", n=REPEATS)
    yield Figure(metric="rollback_lost_requests", value=lost.lost, unit="requests", n=lost.sent)


def seconds_to_traffic(stage: Stage, release: str) -> float:
    """Return the seconds from the start of a release's containers until it had all traffic, by the host's journal."""
    entries = [entry for entry in stage.view.journal() if entry.get("release") == release]
    moments = {
        key: datetime.fromisoformat(entry["at"])
        for entry in entries
        for key in (f"{entry['phase']}/{entry['step']}/{entry['mark']}",)
    }
    return (moments["cutover/weights/end"] - moments["start/begin/begin"]).total_seconds()
