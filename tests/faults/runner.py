"""Runs rows: traffic on, fault, host judged at rest, a good release after it, and what was lost."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.errors import ReleaseError
from tests.faults.row import Result, Seen
from tests.support.traffic import Loss, loss, traffic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.checks.prober import Prober
    from tests.faults.row import Row
    from tests.faults.stage import Stage

SHOWN = 8


def run_chain(stage: Stage, rows: Sequence[Row]) -> list[Result]:
    """Return the results of a chain's rows: the good release after the last of them is the one after all (`chains`).

    Where the last row has failed, there was no such release, and the others have failed, too.
    """
    *before, last = [run_row(stage, row, follow=row.follow and row is rows[-1]) for row in rows]
    if not last.passed:
        missing = f"no good release was seen after it: {last.name} failed"
        before = [replace(result, problems=(*result.problems, missing)) for result in before]
    return [*before, last]


def run_row(stage: Stage, row: Row, *, follow: bool | None = None) -> Result:
    """Run one row; whatever goes wrong is a problem in its result, never an exception.

    `follow` says whether a good release is made after it; left out, the row says so.
    """
    follow = row.follow if follow is None else follow
    began = time.monotonic()
    problems: list[str] = []
    seen = Seen(text="nothing: the row did not get that far")
    probers: list[Prober] = []
    try:
        stage.make_good()
        olds = [view.serving for view in stage.views]
        with ExitStack() as stack:
            probers = [
                stack.enter_context(traffic(view.host, search=row.search, paste=row.paste)) for view in stage.views
            ]
            began = time.monotonic()
            seen = row.act(stage)
            problems += [*seen.problems, *_judge(stage, seen, olds)]
            stage.mend()
            if follow:
                problems += stage.follow()
            elif not problems:
                stage.keep()
    except (AssertionError, ReleaseError, OSError) as error:
        problems.append(f"{type(error).__name__}: {error}")
        stage.mend()
    lost = loss([answer for prober in probers for answer in prober.answers], seen.downtimes)
    problems += _lost_problems(lost, row)
    return Result(
        name=row.name,
        expected=row.expected,
        seen=seen.text,
        lost=lost.outside,
        lost_in_downtime=lost.in_downtime,
        sent=lost.sent,
        seconds=time.monotonic() - began,
        problems=tuple(problems),
    )


def _judge(stage: Stage, seen: Seen, olds: list[str | None]) -> list[str]:
    """Return what is wrong with hosts and record once everything is at rest."""
    problems = stage.at_rest(is_recorded=not seen.record_lags)
    serving = [view.serving for view in stage.views]
    for view, old, new in zip(stage.views, olds, serving, strict=True):
        if (new == old) != (seen.serves == "old"):
            problems.append(f"{view.host.name} serves {new}, before it was {old}; expected the {seen.serves} one")
    if len(set(serving)) != 1:
        problems.append(f"the hosts serve {serving}")
    if seen.record_lags:
        stage.world.unlock()
        stage.wait_free()
        again = stage.world.up()
        if not again.good:
            problems.append(f"the update after it failed: {again.tail()}")
        problems += stage.record_problems()
    return problems


def _lost_problems(lost: Loss, row: Row) -> list[str]:
    """Return what is wrong with the losses: what may be repeated is never lost, of the rest at most what is allowed."""
    if lost.outside == lost.unrepeatable <= row.allowed_lost:
        return [] if lost.sent else ["no traffic was sent"]
    shown = "; ".join(lost.shown[:SHOWN])
    allowed = f"{row.allowed_lost} unrepeatable ones allowed"
    return [f"lost {lost.outside} of {lost.sent} requests, {lost.unrepeatable} unrepeatable, {allowed}: {shown}"]
