"""Rows whose candidate is bad: a real image, built with a fault."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.faults.row import Row, Seen
from tests.faults.stage import CANARY, IMPATIENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.stage import Stage
    from tests.support.world import UpResult

MAX_FAILURES = 5
TAIL_LINES = 40
"""Pulumi shows the stack's own lines, twenty or so, before the rollout's or after them."""
KILLED_BEFORE = re.compile(
    r"(?ms)^ *warning: Attempting to deploy or update resources with .*?^[^\n]*pending CREATE operations\.$"
)
"""What Pulumi says in every update after one that a row before killed; no user of a failed one would have it."""
AFTER_SMOKE = "error-after:40"
"""An image that answers the smoke test well, and errors soon after."""
REFUSES_AFTER_SMOKE = "refuse-after:40"
"""An image that answers the smoke test well, and refuses all work soon after."""
SILENT_AFTER_SMOKE = "hang-after:40"
"""An image that answers the smoke test well, and nothing but probes soon after."""
USED_UP_SECONDS = 1.0
"""How long it takes 50 requests/s to make it so."""


def with_fault(fault: str, image: str = "acp-ingest") -> dict[str, Any]:
    """Return what a stack says to build `image` with `fault`."""
    return {"images": {image: {"build_args": {"FAULT": fault}}}}


def refused(result: UpResult, *reasons: str) -> Seen:
    """Return what a failed update said; its last lines must have one of `reasons`, and no traceback is shown."""
    problems = []
    if result.good:
        problems.append("the update succeeded")
    said = replace(result, output=KILLED_BEFORE.sub("", result.output)).tail(TAIL_LINES)
    tail = said.lower()
    if not any(reason.lower() in tail for reason in reasons):
        problems.append(f"none of {reasons} in the last {TAIL_LINES} lines:\n{said}")
    if result.has_traceback:
        problems.append("there is a traceback in the output")
    found = next((reason for reason in reasons if reason.lower() in tail), "?")
    return Seen(text=f"update failed in {result.seconds:.0f} s: {found}", problems=tuple(problems))


def _bad(fault: str, *reasons: str, image: str = "acp-ingest") -> Callable[[Stage], Seen]:
    """Return the act of a blue-green release of a bad image."""
    return lambda stage: refused(stage.release(with_fault(fault, image)), *reasons)


def _never_ready(fault: str, reason: str = "was not ready within") -> Callable[[Stage], Seen]:
    """Return the act of a release that is waited for until its time is over."""
    return lambda stage: refused(stage.release(IMPATIENT, with_fault(fault)), reason)


def _bad_canary(fault: str, *reasons: str, image: str = "acp-ingest") -> Callable[[Stage], Seen]:
    """Return the act of a canary release of a bad image."""
    return lambda stage: refused(stage.release(CANARY, with_fault(fault, image)), *reasons)


def _falls_silent(stage: Stage) -> Seen:
    """Release an image that answers nothing any more when the public address is checked."""
    update = stage.start(with_fault(SILENT_AFTER_SMOKE))
    with stage.held(update, "cutover/weights/end"):
        time.sleep(USED_UP_SECONDS)
    return refused(update.wait(), "wait for an answer of the candidate")


def _ignores_sigterm(stage: Stage) -> Seen:
    """Release an image that ignores SIGTERM, then a good one over it: the old one is drained, then killed."""
    first = stage.release(with_fault("ignore-sigterm"))
    if not first.good:
        return Seen(text="its own release failed", problems=(first.tail(),))
    second = stage.release()
    problems = () if second.good else (f"the release over it failed: {second.tail()}",)
    return Seen(text=f"released, and replaced in {second.seconds:.0f} s", problems=problems, serves="new")


ROWS = (
    Row(
        name="never ready",
        expected="fails, old serves",
        act=_never_ready("never-ready"),
        in_subset=True,
    ),
    Row(name="crash loop", expected="fails, old serves", act=_bad("crash-loop", "does not stay up"), in_subset=True),
    Row(
        name="ready body not_ready with status 200",
        expected="fails, old serves",
        act=_never_ready("not-ready-200", "status is not_ready"),
    ),
    Row(name="flapping health", expected="fails, old serves", act=_never_ready("flap:0.7")),
    Row(name="candidate OOM-killed", expected="fails, old serves", act=_bad("oom:0", "used more memory", "memory")),
    Row(
        name="candidate OOM-killed on trial",
        expected="reverts, old serves",
        act=_bad_canary("oom:6", "used more memory", "ended by itself", "memory"),
        allowed_lost=MAX_FAILURES,
        paste=True,
    ),
    Row(
        name="healthy, but no request works",
        expected="fails, old serves",
        act=_bad("error-after:0", "at fault: acp-ingest"),
    ),
    Row(
        name="healthy, then 5xx in canary",
        expected="reverts, old serves",
        act=_bad_canary(AFTER_SMOKE, "failed on the candidate", "failed too often", "took", "errors"),
        allowed_lost=MAX_FAILURES,
        paste=True,
    ),
    Row(
        name="healthy, then 4xx in canary",
        expected="reverts, old serves",
        act=_bad_canary(REFUSES_AFTER_SMOKE, "the candidate refused"),
    ),
    Row(
        name="agents healthy, then 5xx in canary",
        expected="reverts, old serves",
        act=_bad_canary(
            AFTER_SMOKE, "failed on the candidate", "failed too often", "took", "errors", image="acp-agents"
        ),
        allowed_lost=MAX_FAILURES,
        paste=True,
    ),
    Row(
        name="healthy, then no answers in canary",
        expected="reverts, old serves",
        act=_bad_canary(SILENT_AFTER_SMOKE, "wait for an answer of the candidate"),
    ),
    Row(
        name="healthy, then no answers after cutover",
        expected="reverts, old serves",
        act=_falls_silent,
    ),
    Row(
        name="slow candidate",
        expected="reverts, old serves",
        act=_bad_canary("slow:400", "latency", "slower", " ms"),
    ),
    Row(name="ignores SIGTERM", expected="released and replaced", act=_ignores_sigterm),
)
