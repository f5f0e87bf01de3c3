"""The load that a stack puts on a release in public before it is committed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from infra.checks.load import keep, run_load
from infra.errors import CheckError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.rollout.context import RolloutContext


def load_release(context: RolloutContext, show: Callable[[str], None]) -> list[dict[str, Any]]:
    """Run the stack's profile, if it has one, and return the report; raise `CheckError` with what was missed."""
    name = context.settings.load.after_release
    if name is None:
        return []
    show(f"  k6: profile {name}, about {context.settings.load.profiles[name].duration_seconds:g} s")
    report = run_load(
        context.settings, release=context.release, images=context.spec["images"], profile=name, environ=os.environ
    )
    path = keep(report)
    if not report.passed:
        raise CheckError(
            f"the release does not stand the load of profile {name}\n"
            + "\n".join(f"    {problem}" for problem in report.problems()),
            where=str(path),
            mend="mend the release; the limits are in `acp:load` `profiles`",
        )
    return [report.to_json()]
