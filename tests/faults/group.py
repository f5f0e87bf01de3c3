"""Rows with two hosts: all of them change, or none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.faults.candidates import refused
from tests.faults.row import Row, Seen
from tests.faults.stage import CANARY
from tests.support.traffic import Downtime

if TYPE_CHECKING:
    from tests.faults.stage import Stage


def _one_host_lost(stage: Stage) -> Seen:
    """Cut the second host off in the middle of a canary: the group goes back, the lost one by itself."""
    second = stage.views[1]
    update = stage.start(CANARY)
    with stage.held(update, "shift/weights/end"):
        stage.cut_ssh(second)
    result = update.wait()
    stage.heal_ssh(second)
    return refused(result, "h2")


def _one_host_off(stage: Stage) -> Seen:
    """Take the power of the second host away in the middle of a canary."""
    second = stage.views[1]
    update = stage.start(CANARY)
    with stage.held(update, "shift/weights/end"):
        down = time.time() - 0.2
        second.machine.power_off()
    result = update.wait()
    second.machine.start()
    up = stage.wait_answering(second)
    seen = refused(result, "h2")
    return Seen(text=seen.text, problems=seen.problems, downtimes=(Downtime(start=down, end=up + 0.2),))


ROWS = (
    Row(name="one of two hosts lost mid-shift", expected="both go back", act=_one_host_lost, hosts=2),
    Row(name="one of two hosts loses power mid-shift", expected="both go back", act=_one_host_off, hosts=2),
)
