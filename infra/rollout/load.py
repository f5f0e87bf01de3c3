"""The load that a stack puts on a release in public before it is committed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from infra.checks.load import keep, run_load
from infra.errors import CheckError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.domain.load_report import LoadReport
    from infra.rollout.context import RolloutContext


def load_release(context: RolloutContext, show: Callable[[str], None]) -> LoadReport | None:
    """Run the stack's profile, if it has one, keep the report and return it."""
    name = context.settings.load.after_release
    if name is None:
        return None
    show(f"  k6: profile {name}, about {context.settings.load.profiles[name].duration_seconds:g} s")
    report = run_load(
        context.settings, release=context.release, images=context.spec["images"], profile=name, environ=os.environ
    )
    show(f"  k6: {'passed' if report.passed else 'missed its thresholds'}, report in {keep(report)}")
    return report


def require_stood(report: LoadReport) -> None:
    """Raise `CheckError` with what was missed."""
    if not report.passed:
        raise CheckError(
            f"the release does not stand the load of profile {report.profile}\n"
            + "\n".join(f"    {problem}" for problem in report.problems()),
            mend="mend the release; the limits are in `acp:load` `profiles`",
        )
