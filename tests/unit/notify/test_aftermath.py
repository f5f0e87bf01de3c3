from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from infra.errors import HostUnreachableError
from infra.notify import aftermath
from infra.notify.__main__ import wait_for_end
from infra.notify.aftermath import Aftermath, find_aftermath
from tests.support.fake_hostctl import Stage, make_stage

RELEASE = "v2-0"
SINCE = 1_800_000_000.25


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return two hosts that serve the release before and know of no trial."""
    stage = make_stage()
    stage.answer("status", host_status())
    monkeypatch.setattr(aftermath, "host_clients", lambda _settings: stage.context.group.clients)
    return stage


def host_status(**changes: Any) -> dict[str, Any]:
    """Return what a host says of itself."""
    return {"serving": "v1-0", "candidate": None, "last_trial": None, "deadline_seconds": None, **changes}


def reverted(reason: str, release: str = RELEASE, *, after_seconds: float = 60.0) -> dict[str, Any]:
    """Return a host's last trial, which ended so long after the run began."""
    at = datetime.fromtimestamp(SINCE + after_seconds, UTC).isoformat(timespec="milliseconds")
    return {"release": release, "outcome": "reverted", "reason": reason, "at": at}


def aftermath_of(stage: Stage, pauses: list[float] | None = None) -> Aftermath:
    """Return what is found, pausing in no time."""
    noted = pauses if pauses is not None else []
    return find_aftermath(stage.context.settings, RELEASE, SINCE, noted.append)


def outcome(stage: Stage, pauses: list[float] | None = None) -> tuple[str, str]:
    """Return the event and the reason."""
    found = aftermath_of(stage, pauses)
    return found.event, found.reason


def test_what_serves_is_said_where_the_hosts_agree(stage: Stage) -> None:
    """Two hosts that serve different releases serve none that could be named."""
    assert aftermath_of(stage).serving == "v1-0"
    stage.answer("status", host_status(serving="v0-9"), host="h2")
    assert aftermath_of(stage).serving == ""


def test_a_candidate_that_did_not_start_gives_the_hosts_reason(stage: Stage) -> None:
    """The update fails outside of our code then, but the host knows why."""
    stage.answer("status", host_status(last_trial=reverted("never ready")), host="h2")
    assert outcome(stage) == ("reverted", "never ready")


def test_a_trial_is_waited_for(stage: Stage) -> None:
    """A killed update leaves a trial, which the host ends at its deadline."""
    answers = [host_status(candidate=RELEASE, deadline_seconds=40.0), host_status(last_trial=reverted("no renewal"))]
    stage.answer("status", lambda _request: answers.pop(0) if len(answers) > 1 else answers[0], host="h1")
    pauses: list[float] = []
    assert outcome(stage, pauses) == ("reverted", "no renewal")
    assert pauses == [40.0]


def test_another_releases_trial_is_not_this_ones(stage: Stage) -> None:
    """What happened to the release before says nothing."""
    stage.answer("status", host_status(last_trial=reverted("old", release="v1-9")))
    assert outcome(stage) == ("failed", "the update ended without a verdict; nothing was changed on the hosts")


def test_an_earlier_attempts_trial_is_not_this_ones(stage: Stage) -> None:
    """The same release was reverted before this run began: nothing is known of this one."""
    stage.answer("status", host_status(last_trial=reverted("old", after_seconds=-1)))
    assert outcome(stage) == ("failed", "the update ended without a verdict; nothing was changed on the hosts")


def test_a_release_that_serves_without_a_record_is_a_failure(stage: Stage) -> None:
    """Killed between commit and record: the hosts are ahead, and the notice says what to do."""
    stage.answer("status", host_status(serving=RELEASE))
    event, reason = outcome(stage)
    assert event == "failed"
    assert "hosts serve v2-0, but it is not in the record; run the update again" in reason


def test_silent_hosts_are_named(stage: Stage) -> None:
    """When hosts cannot be asked, that is what is told."""
    stage.answer("status", HostUnreachableError("h2 is gone"), host="h2")
    assert outcome(stage) == ("failed", "the update ended without a verdict, and h2 cannot be asked")


def test_the_end_of_a_process_is_seen() -> None:
    """It returns when the process ends, and at once when another one has its id."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    wait_for_end(process.pid, started - 100)
    process.communicate(b"\n", timeout=20)
    wait_for_end(process.pid, started)
    wait_for_end(os.getpid(), 0.0)
