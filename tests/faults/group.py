"""Rows with two hosts: all of them change, or none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.faults.candidates import refused
from tests.faults.row import Row, Seen
from tests.faults.stage import CANARY, LEASE_SECONDS, REACH_SECONDS
from tests.support.fault_points import FaultPoint
from tests.support.traffic import Downtime

if TYPE_CHECKING:
    from tests.faults.stage import Stage

MARGIN_SECONDS = 5.0


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


def _one_host_slow(stage: Stage) -> Seen:
    """Let one host pull for longer than a lease lives without a word, and another deployer come meanwhile."""
    first, second = stage.views
    with FaultPoint(second, "start/pull/begin", "hold").armed() as fault:
        update = stage.start()
        reached = fault.wait_reached(timeout_seconds=REACH_SECONDS, unless=lambda: not update.running)
        assert reached, f"the second host never pulled: {update.wait(5).tail()}"
        first.wait_for(lambda status: status["phase"] == "started", timeout_seconds=60, what="the first host is done")
        time.sleep(LEASE_SECONDS + MARGIN_SECONDS)
        other = stage.world.twin().up()
    result = update.wait()
    seen = refused(other, "holds this host since")
    problems = [*seen.problems, *([] if result.good else [f"the first deployer failed: {result.tail()}"])]
    return Seen(text="the first deployer released, the other was refused", problems=tuple(problems), serves="new")


ROWS = (
    Row(
        name="one of two hosts pulls for long",
        expected="released; others refused",
        act=_one_host_slow,
        hosts=2,
        shows_release=True,
    ),
    Row(name="one of two hosts lost mid-shift", expected="both go back", act=_one_host_lost, hosts=2),
    Row(name="one of two hosts loses power mid-shift", expected="both go back", act=_one_host_off, hosts=2),
)
