"""Rows about going back: what a rollback needs is away, it is cut off, or it is not alone."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from infra.domain.naming import project_name
from infra.lab.docker import docker
from tests.faults.candidates import refused, with_fault
from tests.faults.killed import STEPS, took_over
from tests.faults.row import Row, Seen
from tests.faults.stage import CANARY, REACH_SECONDS
from tests.support.fault_points import FaultPoint
from tests.support.world import STACK, Update, UpResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.faults.stage import Stage

ROLLBACK = ("acp-release", "rollback", "--stack", STACK, "--yes")
ROLLBACK_SECONDS = 240.0
_SERVES = STEPS.index("cutover/weights") + 1
WARM_STEPS = tuple(
    step
    for step in (*STEPS[:_SERVES], "cutover/workers", *STEPS[_SERVES:])
    if step not in {"start/pull", "shift/weights"}
)
"""Every journal step of a warm rollback, in order: nothing is pulled, it goes at once, and the workers come last."""


def start_rollback(stage: Stage, *arguments: str) -> Update:
    """Start a rollback to the release before."""
    world = stage.world
    return Update([*ROLLBACK, *arguments], cwd=world.path, env=world.env, log=world.folder / "rollback.log")


def rollback(stage: Stage, *arguments: str) -> UpResult:
    """Roll back and wait for the end of it."""
    return start_rollback(stage, *arguments).wait(ROLLBACK_SECONDS)


def two_releases(stage: Stage, *overrides: Mapping[str, Any]) -> tuple[str, str]:
    """Release something new on top of what serves; return the release before it, and it."""
    before = stage.view.serving
    result = stage.release(*overrides)
    assert result.good, f"no release to go back from: {result.tail()}"
    stage.view.wait_settled()
    after = stage.view.serving
    assert before
    assert after
    return before, after


def went_back(stage: Stage, result: UpResult, wanted: str, text: str) -> Seen:
    """Return what a rollback to `wanted` led to; the row began with `wanted`, so the old one serves again."""
    problems = [] if result.good else [f"the rollback failed: {result.tail()}"]
    stage.view.wait_settled()
    if stage.view.serving != wanted:
        problems.append(f"{stage.view.serving} serves, not {wanted}")
    return Seen(text=f"{text} in {result.seconds:.0f} s", problems=tuple(problems))


def _registry_down(stage: Stage) -> Seen:
    """Go back to a parked release while the registry is down."""
    wanted, _ = two_releases(stage)
    registry = stage.view.machine.plan.container("registry")
    docker("stop", registry)
    try:
        result = rollback(stage)
    finally:
        docker("start", registry)
        stage.world.lab_up()
    return went_back(stage, result, wanted, "went back without a registry")


def _killed(point: str) -> Callable[[Stage], Seen]:
    """Return the act: hold hostctl at `point` of a rollback, kill the command and all of `pulumi`, then look.

    A rollback that was cut off after its commit is asked for again: it finds the host back already and records that.
    """

    def act(stage: Stage) -> Seen:
        wanted, _ = two_releases(stage)
        with FaultPoint(stage.view, point, "hold").armed() as fault:
            update = start_rollback(stage)
            reached = fault.wait_reached(timeout_seconds=REACH_SECONDS, unless=lambda: not update.running)
            update.kill()
            fault.let_go()
            if not reached:
                return Seen(text="not reached", problems=(f"hostctl never came to {point}: {update.wait().tail()}",))
            seconds = stage.view.wait_settled()
        text = f"host at rest after {seconds:.0f} s"
        if not took_over(stage, point):
            return Seen(text=text, serves="new")
        stage.world.unlock()
        stage.wait_free()
        return went_back(stage, rollback(stage, "--to", wanted), wanted, f"{text}; recorded by the same rollback")

    return act


def _host_unreachable(stage: Stage) -> Seen:
    """Try to go back while one of two hosts cannot be reached: refused before anything changes."""
    _, current = two_releases(stage)
    second = stage.views[1]
    stage.cut_ssh(second)
    try:
        result = rollback(stage)
        changed = [] if stage.view.serving == current else [f"{stage.view.serving} serves on the first host"]
    finally:
        stage.heal_ssh(second)
    seen = refused(result, "h2", "not reachable", "unreachable", "timed out")
    return Seen(text=seen.text, problems=(*seen.problems, *changed), serves="new")


def _host_left_alone(stage: Stage) -> Seen:
    """Go back on the other host while one cannot be reached, as the stack says; ask again once it can."""
    wanted, current = two_releases(stage, {"rollout": {"unreachable_host": "skip"}})
    first, second = stage.views
    stage.cut_ssh(second)
    try:
        result = rollback(stage)
        serving = first.serving
    finally:
        stage.heal_ssh(second)
    problems = [] if result.good else [f"the rollback failed: {result.tail()}"]
    if (serving, second.serving) != (wanted, current):
        problems.append(f"h1 serves {serving} and h2 {second.serving}, not {wanted} and {current}")
    told = stage.world.command("status", "--stack", STACK, "--json")
    if f"acp-release rollback --to {wanted}" not in told.output:
        problems.append(f"status does not say what brings h2 back: {told.tail()}")
    stage.wait_free()
    again = went_back(stage, rollback(stage, "--to", wanted), wanted, "h1 went back; asked again, h2 too")
    return Seen(text=again.text, problems=(*problems, *again.problems))


def _target_pruned(stage: Stage) -> Seen:
    """Try to go back to a release whose containers and image are gone from the host and from the registry."""
    first = stage.release(with_fault(f"slow:{time.time_ns() % 1000 / 1e6}"))
    assert first.good, first.tail()
    gone, current = two_releases(stage)
    image = _image_of_ingest(stage, gone)
    stage.view.call("stop", release=gone, remove=True, timeout_seconds=60)
    stage.view.docker("image", "rm", "--force", image, check=False)
    with _hidden_in_registry(stage, image):
        result = rollback(stage, "--to", gone)
    problems = [] if stage.view.serving == current else [f"{stage.view.serving} serves"]
    seen = refused(result, "nor in the registry")
    return Seen(text=seen.text, problems=(*seen.problems, *problems), serves="new")


def _image_of_ingest(stage: Stage, release: str) -> str:
    """Return the image of a release's ingest container."""
    return stage.view.docker("inspect", "--format", "{{.Config.Image}}", f"{project_name(release)}-ingest-1").strip()


@contextlib.contextmanager
def _hidden_in_registry(stage: Stage, image: str) -> Iterator[None]:
    """Let the registry not have an image while the block runs."""
    registry = stage.view.machine.plan.container("registry")
    name, _, digest = image.partition("@sha256:")
    repository = name.partition("/")[2]
    manifests = f"/var/lib/registry/docker/registry/v2/repositories/{repository}/_manifests"
    link, kept = f"{manifests}/revisions/sha256/{digest}", f"{manifests}/hidden"
    docker("exec", "--user", "0", registry, "mv", link, kept)
    docker("restart", registry)  # it remembers what it had
    stage.world.lab_up()
    try:
        yield
    finally:
        docker("exec", "--user", "0", registry, "mv", kept, link)


def _during_failed_update(stage: Stage) -> Seen:
    """Kill an update in its canary and go back at once, before the host has reverted by itself."""
    wanted, _ = two_releases(stage)
    update = stage.start(CANARY)
    with stage.held(update, "shift/weights/begin"):
        update.kill()
    stage.world.unlock()
    stage.wait_free()
    return went_back(stage, rollback(stage, "--to", wanted), wanted, "went back over a dead update")


def _two_at_once(stage: Stage) -> Seen:
    """Let a second machine roll back while the first one does."""
    wanted, _ = two_releases(stage)
    twin = stage.world.twin()
    first = start_rollback(stage)
    with stage.held(first, "ready/probe/begin"):
        second = Update(list(ROLLBACK), cwd=twin.path, env=twin.env, log=twin.folder / "rollback.log")
        refusal = second.wait(ROLLBACK_SECONDS)
    result = first.wait(ROLLBACK_SECONDS)
    seen = refused(refusal, "holds this host since")
    back = went_back(stage, result, wanted, "one went back, the other was refused")
    return Seen(text=back.text, problems=(*seen.problems, *back.problems))


def _terminated(stage: Stage) -> Seen:
    """End the command alone with SIGTERM, as a cancelled job does: it leaves no lock, and the same rollback works."""
    wanted, _ = two_releases(stage)
    update = start_rollback(stage)
    with stage.held(update, "ready/probe/begin"):
        update.terminate()
        time.sleep(0.5)
    result = update.wait(ROLLBACK_SECONDS)
    stage.view.wait_settled()
    stage.wait_free()
    again = result if result.good else rollback(stage, "--to", wanted)
    return went_back(stage, again, wanted, f"exit {result.exit_status} after {result.seconds:.0f} s; asked again, back")


def _rows() -> list[Row]:
    """Return the rows; those of a killed driver begin before and after each step."""
    killed = [
        Row(
            name=f"rollback: driver killed {word} {step}",
            expected="one release serves",
            act=_killed(f"{step}/{mark}"),
            follow=False,
            shows_release=True,
        )
        for step in WARM_STEPS
        for mark, word in (("begin", "before"), ("end", "after"))
    ]
    return [
        Row(name="rollback: registry down", expected="went back warm", act=_registry_down, shows_release=True),
        Row(
            name="rollback: target pruned", expected="refused, nothing changed", act=_target_pruned, shows_release=True
        ),
        Row(
            name="rollback: during a failed update", expected="went back", act=_during_failed_update, shows_release=True
        ),
        Row(
            name="rollback: two at once",
            expected="one goes back, the other is refused",
            act=_two_at_once,
            shows_release=True,
        ),
        Row(
            name="rollback: SIGTERM of the command",
            expected="went back when asked again",
            act=_terminated,
            shows_release=True,
        ),
        *killed,
        Row(
            name="rollback: one host unreachable",
            expected="refused, nothing changed",
            act=_host_unreachable,
            hosts=2,
            shows_release=True,
        ),
        Row(
            name="rollback: one host unreachable, to be skipped",
            expected="the other goes back, later it too",
            act=_host_left_alone,
            hosts=2,
            shows_release=True,
        ),
    ]


ROWS = tuple(_rows())
