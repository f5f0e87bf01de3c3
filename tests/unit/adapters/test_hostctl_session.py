from __future__ import annotations

import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from infra.adapters.hostctl_session import Sessions
from infra.errors import ToolError
from infra.lab.wait import comes_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 20.0
SESSION = """
import json, os, sys, time
with open(sys.argv[1], "a") as starts:
    starts.write(f"{os.getpid()}\\n")
while line := sys.stdin.readline():
    asked = json.loads(line)
    if asked.get("leave") and os.path.exists(asked["leave"]):
        os.unlink(asked["leave"])
        sys.exit(5)
    print(json.dumps({"event": "taken"}), flush=True)
    if asked.get("die"):
        sys.stderr.write("it died")
        sys.exit(7)
    time.sleep(asked.get("work", 0))
    print(json.dumps({"event": "result", "pid": os.getpid(), "n": asked.get("n")}), flush=True)
"""
"""A session like hostctl's: it can leave before it takes a request, die after that, and take its time."""


class Asked:
    """Sessions of a program that notes its starts."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet."""
        self._starts = folder / "starts"
        self.sessions = Sessions([sys.executable, "-IS", "-c", SESSION, str(self._starts)])

    @property
    def pids(self) -> list[int]:
        """Return the processes that were started, in their order."""
        return [int(line) for line in self._starts.read_text().split()] if self._starts.exists() else []

    def ask(self, seconds: float = SECONDS, **request: object) -> tuple[int, str, list[dict[str, object]]]:
        """Return status, standard error and the events of one request."""
        events: list[dict[str, object]] = []

        def on_line(line: str) -> bool:
            events.append(json.loads(line))
            return events[-1]["event"] == "result"

        status, errors = self.sessions.ask(json.dumps(request), timeout_seconds=seconds, on_line=on_line)
        return status, errors, events


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """Return sessions that are closed in the end."""
    found = Asked(tmp_path)
    yield found
    found.sessions.close()


def is_gone(pid: int) -> bool:
    """Return whether a process has ended and been reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_one_session_answers_call_after_call(asked: Asked) -> None:
    """A program is started for the first call only."""
    answers = [asked.ask(n=n) for n in range(3)]
    assert [(status, errors) for status, errors, _ in answers] == [(0, "")] * 3
    assert [events[-1]["n"] for _, _, events in answers] == [0, 1, 2]
    assert len(asked.pids) == 1


def test_calls_at_once_have_a_session_each(asked: Asked) -> None:
    """Nobody waits for another call: a renewal goes beside a step that takes its time."""
    began = threading.Barrier(2)

    def ask(_: int) -> object:
        began.wait()
        return asked.ask(work=0.5)[2][-1]["pid"]

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(ask, range(2)))) == 2
    asked.ask()
    assert len(asked.pids) == 2


def test_a_session_that_died_while_it_waited_costs_nothing(asked: Asked) -> None:
    """The next call is answered by a new one."""
    asked.ask()
    os.kill(asked.pids[0], signal.SIGKILL)
    assert asked.ask()[0] == 0
    assert len(asked.pids) == 2


def test_a_request_that_was_not_taken_is_asked_again(asked: Asked, tmp_path: Path) -> None:
    """The connection was cut while nobody used it, which shows only when something is written."""
    asked.ask()
    (tmp_path / "leave").touch()
    status, _, events = asked.ask(leave=str(tmp_path / "leave"))
    assert status == 0
    assert [event["event"] for event in events] == ["taken", "result"]
    assert len(asked.pids) == 2


def test_a_request_that_was_taken_is_never_asked_again(asked: Asked) -> None:
    """What a step that died has done nobody knows: its caller decides."""
    asked.ask()
    status, errors, events = asked.ask(die=True)
    assert (status, errors) == (7, "it died")
    assert [event["event"] for event in events] == ["taken"]
    assert len(asked.pids) == 1


def test_a_new_session_that_does_not_answer_is_the_answer(asked: Asked, tmp_path: Path) -> None:
    """A host that cannot be reached is not asked over and over."""
    (tmp_path / "leave").touch()
    assert asked.ask(leave=str(tmp_path / "leave"))[0] == 5
    assert len(asked.pids) == 1


def test_a_late_session_is_killed_and_not_used_again(asked: Asked) -> None:
    """Its answer might come during the next call."""
    asked.ask()
    with pytest.raises(ToolError, match=r"did not finish in 0\.2 s"):
        asked.ask(seconds=0.2, work=30)
    assert is_gone(asked.pids[0])
    assert asked.ask()[0] == 0
    assert len(asked.pids) == 2


def test_a_failing_reader_leaves_no_session_behind(asked: Asked) -> None:
    """The rest of the answer would be read as the next one's."""

    def fail(_: str) -> bool:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        asked.sessions.ask("{}", timeout_seconds=SECONDS, on_line=fail)
    assert all(is_gone(pid) for pid in asked.pids)


def test_closing_ends_those_that_wait_and_later_those_at_work(asked: Asked) -> None:
    """A call that is under way is answered all the same."""
    asked.ask()
    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(asked.ask, work=1) for _ in range(2)]
        assert comes_true(lambda: len(asked.pids) == len(working), within_seconds=SECONDS)
        asked.sessions.close()
        assert [call.result()[0] for call in working] == [0, 0]
    assert all(is_gone(pid) for pid in asked.pids)
