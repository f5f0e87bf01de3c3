"""Bringing everything about: what takes long runs while the rest goes on, and nothing is done twice."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from infra.toolchain import apt, prerequisites, vendor, venv
from infra.toolchain.errors import SetupError
from infra.toolchain.go_tools import GO_MEND, all_tools, go_problem
from infra.toolchain.lab_step import LabStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.toolchain.go_tools import Tool
    from infra.toolchain.places import Places
    from infra.toolchain.progress import Progress
    from infra.toolchain.step import State, Step


def run(places: Places, progress: Progress, *, system_only: bool = False, lab: bool = False) -> None:
    """Bring about all prerequisites, with `system_only` those of the machine, with `lab` the lab too.

    Raises `SetupError` with all problems.
    """
    problem = venv.python_problem()
    if problem:
        raise SetupError(problem, mend="run it with a newer python3")
    if not system_only:
        refuse_without_go(places)
    system = prerequisites.system(places)
    refuse_what_needs_root(lacking(system), may_install=apt.usable(), root=os.geteuid() == 0)
    with progress.heartbeat():
        if system_only:
            problems = one_by_one(system, progress)
        else:
            chain: list[Step] = [*system, prerequisites.python(places)]
            if lab:
                chain.append(LabStep(places=places))
            problems = two_lanes(places, chain, progress) or finish(places, progress)
    if problems:
        raise SetupError("\n".join(str(problem) for problem in problems))


def refuse_without_go(places: Places) -> None:
    """Raise `SetupError` before anything is changed, if tools have to be built and this machine has no Go for that."""
    problem = go_problem()
    if problem is None:
        return
    names = [tool.name for tool in to_bring(places) if tool.must_be_built()]
    if names:
        what = f"{problem}, and these have to be built: {', '.join(names)}; nothing was changed"
        raise SetupError(what, mend=GO_MEND)


def lacking(steps: Sequence[Step]) -> dict[str, State]:
    """Return the state of each step that is not ready."""
    states = {step.name: step.state() for step in steps}
    return {name: state for name, state in states.items() if not state.ready}


def refuse_what_needs_root(missing: dict[str, State], *, may_install: bool, root: bool) -> None:
    """Raise `SetupError` before anything is changed, if something is missing that this user cannot bring about."""
    if not missing or may_install or (root and set(missing) == {"docker engine"}):
        return
    lines = [f"  - {name}: {state.detail}" for name, state in missing.items()]
    mend = "; and ".join(dict.fromkeys(state.mend for state in missing.values()))
    raise SetupError(
        "this machine lacks what only root may install; nothing was changed:\n" + "\n".join(lines), mend=mend
    )


def two_lanes(places: Places, chain: Sequence[Step], progress: Progress) -> list[SetupError]:
    """Build the tools while the steps of `chain`, of which each needs the one before, are seen to."""
    builds = to_bring(places)
    with ThreadPoolExecutor(max_workers=3) as lanes:
        built = lanes.submit(each, builds, progress)
        lanes.submit(fetch_ahead, builds[1:])
        rest = lanes.submit(one_by_one, chain, progress)
        return rest.result() + built.result()


def to_bring(places: Places) -> list[Tool]:
    """Return the tools that set-up sees to: all but a provider plugin that comes otherwise."""
    return [tool for tool in all_tools(places) if not (tool.tool.plugin and plugin_comes_otherwise(places))]


def fetch_ahead(builds: Sequence[Tool]) -> None:
    """Fetch the sources of later builds while the first one keeps the processors busy."""
    for tool in builds:
        tool.prefetch()


def plugin_comes_otherwise(places: Places) -> bool:
    """Tell whether the built provider plugin is there already, or can be downloaded at the end."""
    built = {tool.tool.name for tool in all_tools(places) if tool.tool.plugin}
    pending = [p for p in prerequisites.plugins(places) if p.plugin in built and not p.state().ready]
    return not pending or vendor.reachable()


def finish(places: Places, progress: Progress) -> list[SetupError]:
    """Show the tools in the virtual environment and install the provider plugins."""
    for tool in prerequisites.tools(places):
        tool.link()
    return each(prerequisites.plugins(places), progress)


def each(steps: Sequence[Step], progress: Progress) -> list[SetupError]:
    """Apply all steps and return what went wrong: none of them depends on another."""
    return [problem for step in steps if (problem := attempt(step, progress))]


def one_by_one(steps: Sequence[Step], progress: Progress) -> list[SetupError]:
    """Apply steps of which each needs the one before; stop at the first that fails."""
    return next(([problem] for step in steps if (problem := attempt(step, progress))), [])


def attempt(step: Step, progress: Progress) -> SetupError | None:
    """Apply one step and return what went wrong."""
    try:
        step.apply(progress)
    except SetupError as problem:
        return problem
    return None
