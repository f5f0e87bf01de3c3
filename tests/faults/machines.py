"""Rows that take a part of the host itself away: HAProxy, the engine, the machine, and requests that take long."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx

from infra.lab.machine import Machine
from infra.settings.suite import Smoke
from tests.faults.candidates import refused
from tests.faults.row import Row, Seen
from tests.faults.stage import CANARY
from tests.support.traffic import AGENTS_PORT, Downtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.stage import Stage

LONG_SECONDS = 60
LONG_ROUNDS = 40
"""Of two seconds each."""
HANG_SECONDS = 25
LONG_DRAIN: dict[str, Any] = {"services": {"acp-agents": {"drain_timeout_seconds": 120}}}
MARGIN_SECONDS = 0.2
SMOKE = Smoke()


def _haproxy_killed(stage: Stage) -> Seen:
    """Kill HAProxy in the middle of a canary: it comes back on the committed routes, so the trial is over."""
    update = stage.start(CANARY)
    with stage.held(update, "shift/weights/end"):
        down = time.time() - MARGIN_SECONDS
        stage.view.sh("pkill -9 -x haproxy")
        up = stage.wait_answering(stage.view)
    result = update.wait()
    seen = refused(result, "edge was restarted", "committed routes", "reverted")
    down_text = f"; edge down {up - down:.1f} s"
    return Seen(text=seen.text + down_text, problems=seen.problems, downtimes=(Downtime(start=down, end=up),))


def _edge_container_killed(stage: Stage) -> Seen:
    """Kill the edge's container at rest: Docker brings it back with the committed routes."""
    pid = stage.view.docker("inspect", "--format", "{{.State.Pid}}", "acp-edge").strip()
    down = time.time() - MARGIN_SECONDS
    stage.view.sh(f"kill -9 {pid}")
    up = stage.wait_answering(stage.view)
    return Seen(text=f"back after {up - down:.1f} s", downtimes=(Downtime(start=down, end=up),))


def _gone_in_trial(take_away: Callable[[Machine], None]) -> Callable[[Stage], Seen]:
    """Return the act of taking the engine or the whole machine away in the middle of a canary."""

    def act(stage: Stage) -> Seen:
        update = stage.start(CANARY)
        with stage.held(update, "shift/weights/end"):
            down = time.time() - MARGIN_SECONDS
            take_away(stage.view.machine)
        up = stage.wait_answering(stage.view)
        result = update.wait()
        return Seen(
            text=f"update {'succeeded' if result.good else 'failed'}; down {up - down:.1f} s",
            problems=("the update succeeded",) if result.good else (),
            downtimes=(Downtime(start=down, end=up + MARGIN_SECONDS),),
        )

    return act


def _gone_at_rest(take_away: Callable[[Machine], None]) -> Callable[[Stage], Seen]:
    """Return the act of taking the engine away with nothing on trial: the committed release serves again by itself."""

    def act(stage: Stage) -> Seen:
        down = time.time() - MARGIN_SECONDS
        take_away(stage.view.machine)
        up = stage.wait_answering(stage.view)
        return Seen(
            text=f"serves again after {up - down:.1f} s", downtimes=(Downtime(start=down, end=up + MARGIN_SECONDS),)
        )

    return act


@contextlib.contextmanager
def _hanging_engine(stage: Stage) -> Iterator[None]:
    """Let the engine hang during the block: who asks it gets no answer, nobody reads what the containers write."""
    stage.view.sh("pkill -STOP -x dockerd")
    try:
        yield
    finally:
        stage.view.sh("pkill -CONT -x dockerd")


def _engine_hangs(stage: Stage) -> Seen:
    """Let the engine hang while nothing is released."""
    with _hanging_engine(stage):
        time.sleep(HANG_SECONDS)
    return Seen(text=f"no engine for {HANG_SECONDS} s")


def _engine_hangs_in_trial(stage: Stage) -> Seen:
    """Let the engine hang in the middle of a canary, until long after the trial's deadline."""
    update = stage.start(CANARY)
    with stage.held(update, "shift/weights/end"), _hanging_engine(stage):
        time.sleep(HANG_SECONDS)
    return refused(update.wait(), "reverted")


def _long_request(stage: Stage) -> Seen:
    """Release while a client waits a minute for a job's result: the old release answers it before it is parked.

    The job itself takes longer than the request, and no request is left then that would show it: it is finished, too.
    """
    stage_first = stage.release(LONG_DRAIN)
    if not stage_first.good:
        return Seen(text="no release to begin with", problems=(stage_first.tail(),), serves="new")
    agents = f"http://{stage.view.host.reach(AGENTS_PORT)}/api/v1/jobs"
    old = stage.view.serving
    answers: list[httpx.Response | str] = []
    job = httpx.post(agents, json={"question": "how long", "rounds": LONG_ROUNDS, "pace_seconds": 2}).json()

    def ask() -> None:
        try:
            url = f"{agents}/{job['job_id']}/results"
            answers.append(httpx.get(url, params={"wait_seconds": LONG_SECONDS}, timeout=LONG_SECONDS * 2))
        except httpx.HTTPError as error:
            answers.append(type(error).__name__)

    waiting = threading.Thread(target=ask)
    waiting.start()
    time.sleep(1)
    result = stage.release(LONG_DRAIN)
    waiting.join(timeout=LONG_SECONDS * 2)
    answer = answers[0] if answers else "no answer"
    problems = [] if result.good else [result.tail()]
    if isinstance(answer, str):
        problems.append(f"the long request ended with {answer}")
    elif not answer.is_success or answer.headers.get("X-ACP-Release") != old:
        problems.append(f"the long request: {answer.status_code} by {answer.headers.get('X-ACP-Release')}, not {old}")
    status = _ended(f"{agents}/{job['job_id']}")
    if status != "completed":
        problems.append(f"the job that the old release had begun is {status}")
    text = f"the old release answered after {LONG_SECONDS} s; release took {result.seconds:.0f} s"
    return Seen(text=text, problems=tuple(problems), serves="new")


def _ended(job_url: str) -> str:
    """Return the status that a job ends with, or the one that it does not leave."""
    deadline = time.monotonic() + LONG_SECONDS
    while True:
        status = str(httpx.get(job_url).json().get("status"))
        if status in (*SMOKE.answered, *SMOKE.failed) or time.monotonic() > deadline:
            return status
        time.sleep(0.5)


ROWS = (
    Row(name="HAProxy killed during shift", expected="reverts, old serves", act=_haproxy_killed, in_subset=True),
    Row(name="edge container killed at rest", expected="serves again by itself", act=_edge_container_killed),
    Row(
        name="dockerd restarted during trial",
        expected="reverts, old serves",
        act=_gone_in_trial(Machine.restart_engine),
    ),
    Row(name="dockerd restarted at rest", expected="serves again by itself", act=_gone_at_rest(Machine.restart_engine)),
    Row(name="dockerd crashed at rest", expected="serves again by itself", act=_gone_at_rest(Machine.crash_engine)),
    Row(name="dockerd hangs during trial", expected="reverts, old serves", act=_engine_hangs_in_trial),
    Row(name="dockerd hangs at rest", expected="goes on serving", act=_engine_hangs, in_subset=True),
    Row(name="host rebooted during trial", expected="old serves again by itself", act=_gone_in_trial(Machine.reboot)),
    Row(
        name="minute-long request during drain",
        expected="released, request answered",
        act=_long_request,
        shows_release=True,
    ),
)
