"""Rows that kill the driver without a word at every entry the journal gets during a release and during a revert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.faults.candidates import AFTER_SMOKE, with_fault
from tests.faults.row import Row, Seen
from tests.faults.stage import CANARY, REACH_SECONDS
from tests.support.fault_points import FaultPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.faults.stage import Stage

STEPS = (
    "start/pull",
    "start/begin",
    "start/up",
    "ready/probe",
    "ready/trial_routes",
    "shift/weights",
    "cutover/weights",
    "commit/restart_policy",
    "commit/committed_routes",
    "commit/state",
    "drain/routes",
    "drain/requests",
    "drain/workers",
    "park/stop",
    "park/state",
)
"""Every journal step of a release, in order; a test compares them with the journal of a real one."""

FIRST_STEPS = ("commit/routes",)
"""Journal steps of a first release alone, which no row makes; the unit tests of kill points end hostctl there."""

REVERT_STEPS = (
    "revert/intent",
    "revert/traffic",
    "revert/old_release",
    "revert/routes",
    "revert/candidate",
    "revert/state",
)
"""Every journal step of a revert, in order."""

COMMITTED_FROM = ("commit/state/end", *(f"{step}/{mark}" for step in STEPS[10:] for mark in ("begin", "end")))
"""From here on the new release serves, and only the next update can record it."""

IN_COMMIT = tuple(
    f"{step}/{mark}"
    for step in ("commit/restart_policy", "commit/committed_routes", "commit/state")
    for mark in ("begin", "end")
    if f"{step}/{mark}" not in COMMITTED_FROM
)
"""Here the commit is asked for but not done: hostctl finishes it, or ends with the connection, whichever is sooner."""

OF_CANARY = "shift/"
"""Where the step is one that only a canary has, the release is one; all others are sooner there without."""

OF_REVERT = "revert/"

SOON_FREE: dict[str, Any] = {"rollout": {"confirm_timeout_seconds": 5, "lease_seconds": 5}}
"""For releases that nobody goes on with: the host is its own again as soon as it may be."""

IN_SUBSET = ("start/up/begin", "cutover/weights/end")


def _driver_killed(point: str, *overrides: Mapping[str, object]) -> Callable[[Stage], Seen]:
    """Return the act: hold hostctl at `point`, kill the driver and all of `pulumi`, let hostctl go on alone."""

    def act(stage: Stage) -> Seen:
        with FaultPoint(stage.view, point, "hold").armed() as fault:
            update = stage.start(SOON_FREE, *overrides)
            reached = fault.wait_reached(timeout_seconds=REACH_SECONDS, unless=lambda: not update.running)
            update.kill()
            fault.let_go()
            if not reached:
                return Seen(text="not reached", problems=(f"hostctl never came to {point}: {update.wait().tail()}",))
            seconds = stage.view.wait_settled()
        is_new = took_over(stage, point)
        return Seen(
            text=f"host at rest after {seconds:.0f} s",
            problems=traffic_problems(stage, point),
            serves="new" if is_new else "old",
            record_lags=is_new,
        )

    return act


def _hostctl_killed(point: str, *overrides: Mapping[str, object]) -> Callable[[Stage], Seen]:
    """Return the act: hostctl dies at `point`, the driver goes on as well as it can."""

    def act(stage: Stage) -> Seen:
        with FaultPoint(stage.view, point, "die").armed() as fault:
            update = stage.start(SOON_FREE, *overrides)
            result = update.wait()
            if not fault.reached:
                return Seen(text="not reached", problems=(f"hostctl never came to {point}: {result.tail()}",))
            seconds = stage.view.wait_settled()
        is_new = is_committed(stage)
        text = f"update {'succeeded' if result.good else 'failed'}; host at rest after {seconds:.0f} s"
        problems = traffic_problems(stage, point)
        lags = is_new and not result.good
        return Seen(text=text, problems=problems, serves="new" if is_new else "old", record_lags=lags)

    return act


def traffic_problems(stage: Stage, point: str) -> tuple[str, ...]:
    """Return what is wrong with a revert that takes no traffic back: the candidate had none."""
    if not point.startswith(OF_REVERT):
        return ()
    trial = stage.view.status()["last_trial"]["release"]
    had = any(
        (entry["phase"], entry["step"], entry["mark"], entry.get("release")) == ("shift", "weights", "end", trial)
        for entry in stage.view.journal()
    )
    return () if had else (f"{trial} was reverted before it had any traffic",)


def took_over(stage: Stage, point: str) -> bool:
    """Say whether the new release serves after a driver that was killed at `point`, or must."""
    return is_committed(stage) if point in IN_COMMIT else point in COMMITTED_FROM


def is_committed(stage: Stage) -> bool:
    """Say whether the last trial of the first host ended with its commit."""
    outcome: str = stage.view.status()["last_trial"]["outcome"]
    return outcome == "committed"


def _rows() -> list[Row]:
    """Return a row for each mark of each step."""
    bad = (CANARY, with_fault(AFTER_SMOKE))
    found = []
    for step in STEPS:
        for mark, word in (("begin", "before"), ("end", "after")):
            point = f"{step}/{mark}"
            kept = "one" if point in IN_COMMIT else "new" if point in COMMITTED_FROM else "old"
            found.append(
                Row(
                    name=f"driver killed {word} {step}",
                    expected=f"{kept} serves",
                    act=_driver_killed(point, *([CANARY] if point.startswith(OF_CANARY) else [])),
                    in_subset=point in IN_SUBSET,
                    follow=False,
                    shows_release=point in COMMITTED_FROM,
                )
            )
    found += [
        Row(
            name=f"driver killed {word} {step}",
            expected="old serves",
            act=_driver_killed(f"{step}/{mark}", *bad),
            follow=False,
        )
        for step in REVERT_STEPS
        for mark, word in (("begin", "before"), ("end", "after"))
    ]
    found += [
        Row(
            name=f"hostctl killed during {step}",
            expected="old serves",
            act=_hostctl_killed(f"{step}/begin", *bad),
            follow=False,
        )
        for step in REVERT_STEPS
    ]
    return found


ROWS = tuple(_rows())
