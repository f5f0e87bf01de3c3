"""Figures of what releases cost the users: lost requests over good and bad releases, and the latency meanwhile."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from infra.domain.certificate import certify
from tests.bench.figure import Figure
from tests.faults.candidates import AFTER_SMOKE, with_fault
from tests.faults.stage import COMPARED, IMPATIENT
from tests.support.traffic import loss, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.checks.prober import Prober
    from infra.domain.certificate import Answer
    from tests.faults.stage import Stage

GOOD_RELEASES = 10
BAD_FAULTS = ("never-ready", "crash-loop", "not-ready-200", "flap:0.7", "oom:0", AFTER_SMOKE)
"""All but the last never get any traffic; that one has all of it when it begins to fail."""
BAD_IMAGES = ("acp-ingest", "acp-agents")
REST_SECONDS = 10.0
"""How long is looked at rest before each release: a shared machine is slower at one time than at another."""
FLOOR_LOOKS = 3
SPIN = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
"""A program that only computes, and only while nobody else wants the processor."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield lost requests over 10 good and 6 bad blue-green releases at 100 requests/s, and p99 during and at rest.

    `p99_floor_ratio` is what this machine makes of a single program beside the traffic, which releases nothing: a lower
    `p99_ratio` cannot be seen on it.
    """
    stage.make_good()
    at_rest: list[Answer] = []
    beside: list[Answer] = []
    during: list[Answer] = []
    with traffic(stage.view.host) as prober:
        for number in range(GOOD_RELEASES):
            at_rest += resting(prober)
            if number < FLOOR_LOOKS:
                with _spinning():
                    beside += resting(prober)
            begun = len(prober.answers)
            result = stage.release(COMPARED)
            assert result.good, result.tail()
            during += prober.answers[begun:]
        good = len(prober.answers)
        for index, fault in enumerate(BAD_FAULTS):
            stage.wait_free()
            result = stage.release(IMPATIENT, with_fault(fault, BAD_IMAGES[index % len(BAD_IMAGES)]))
            assert not result.good, f"{fault} was released"
    answers = list(prober.answers)
    lost = loss(answers)
    for line in lost.shown:
        stage.note(f"lost: {line}")
    yield Figure(metric="lost_requests", value=lost.lost, unit="requests", n=lost.sent)
    yield Figure(metric="lost_requests_good", value=loss(answers[:good]).lost, unit="requests", n=good)
    yield Figure(metric="lost_requests_bad", value=loss(answers[good:]).lost, unit="requests", n=len(answers) - good)
    rest, busy = certify(at_rest), certify(during)
    yield Figure(metric="p99_rest_ms", value=rest.p99_ms, unit="ms", n=rest.sent)
    yield Figure(metric="p99_release_ms", value=busy.p99_ms, unit="ms", n=busy.sent)
    yield Figure(metric="p99_ratio", value=busy.p99_ms / rest.p99_ms, unit="ratio", n=busy.sent)
    floor = certify(beside)
    yield Figure(metric="p99_floor_ratio", value=floor.p99_ms / rest.p99_ms, unit="ratio", n=floor.sent)


@contextlib.contextmanager
def _spinning() -> Iterator[None]:
    """Let one program compute while the block runs, behind everything else."""
    program = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        yield
    finally:
        program.kill()
        program.wait()


def resting(prober: Prober) -> list[Answer]:
    """Return the answers of some seconds in which nothing is released."""
    begun = len(prober.answers)
    time.sleep(REST_SECONDS)
    return prober.answers[begun:]
