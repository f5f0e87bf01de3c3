"""Figures of a rollback as people make it: with the command, under traffic, from kept containers."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from tests.bench.figure import Figure
from tests.bench.switch import switch_of
from tests.support.traffic import loss, traffic
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.stage import Stage
    from tests.support.world import UpResult

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
            target = str(stage.view.status()["previous"])
            whole.append(roll_back_to(stage, target).seconds)
            restored.append(switch_of(stage, target).seconds)
    lost = loss(prober.answers)
    yield Figure(metric="warm_rollback_seconds", value=statistics.median(restored), unit="s", n=REPEATS)
    yield Figure(metric="rollback_command_seconds", value=statistics.median(whole), unit="s", n=REPEATS)
    yield Figure(metric="rollback_lost_requests", value=lost.lost, unit="requests", n=lost.sent)


def roll_back_to(stage: Stage, release: str) -> UpResult:
    """Go back to a release with the command that people use, when nobody has the hosts."""
    stage.wait_free()
    return stage.world.command("rollback", "--stack", STACK, "--to", release, "--yes", check=True)
