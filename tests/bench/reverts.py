"""Figures of the way back: reverting a trial, and making a parked release serve again."""

from __future__ import annotations

import re
import statistics
import time
from typing import TYPE_CHECKING, Any

from tests.bench.figure import Figure
from tests.faults.candidates import with_fault
from tests.faults.stage import CANARY
from tests.support.traffic import traffic
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.stage import Stage

REVERTS = 2
ACTIVATIONS = 3
RESTORED = re.compile(r"reverted in ([\d.]+) s")


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield the seconds until a revert has all traffic back, and until a parked release has all traffic."""
    stage.make_good()
    restored = []
    with traffic(stage.view.host):
        for _ in range(REVERTS):
            result = stage.release(CANARY, with_fault("slow:400"))
            found = RESTORED.search(result.output)
            assert found, result.tail()
            restored.append(float(found[1]))
            stage.view.wait_settled()
    yield Figure(metric="revert_seconds", value=statistics.median(restored), unit="s", n=len(restored))
    warm = []
    stage.wait_free()
    result = stage.release()
    assert result.good, result.tail()
    previous, clearance = stage.view.serving, _clearance(stage)
    result = stage.release()
    assert result.good, result.tail()
    for _ in range(ACTIVATIONS):
        began = time.monotonic()
        stage.view.call("activate", release=previous, confirm_timeout_seconds=60, clearance=clearance)
        stage.view.call("cutover", release=previous)
        warm.append(time.monotonic() - began)
        stage.view.call("revert", release=previous, reason="measured", timeout_seconds=120)
        stage.view.wait_settled()
    yield Figure(metric="reactivation_seconds", value=statistics.median(warm), unit="s", n=len(warm))


def _clearance(stage: Stage) -> dict[str, Any]:
    """Return what the gate signed for the release that serves, as the stack's state has it."""
    state = stage.world.ask_pulumi("stack", "export", "--stack", STACK)
    (found,) = [r for r in state["deployment"]["resources"] if r["urn"].endswith("::gate-clearance")]
    clearance: dict[str, Any] = found["outputs"]["clearance"]
    return clearance
