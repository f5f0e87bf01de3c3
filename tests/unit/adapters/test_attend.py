"""Programs that run in our place, interrupted and in peace."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.adapters.attend import attend
from infra.errors import ToolError
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 7
CHILD = f"""
import signal, sys, time
told = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: told.append(signal.Signals(number).name))
print("ready", flush=True)
while not told:
    time.sleep(0.01)
time.sleep(0.5)
print("cleaned up after", *told, flush=True)
sys.exit({INTERRUPTED})
"""
PARENT = f"""
import os, sys
from infra.adapters.attend import attend
status = attend([sys.executable, "-IS", "-c", {CHILD!r}], timeout_seconds=60, env=dict(os.environ))
print("it ended with", status, flush=True)
"""
AT_TERMINAL = """
import fcntl, subprocess, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
subprocess.Popen.send_signal = lambda *_: print("told again", flush=True)
"""
ENDED = f"it ended with {INTERRUPTED}"


def test_the_status_and_the_environment_are_the_programs() -> None:
    """What is given is given, and what comes back is the program's own."""
    script = "import os, sys; sys.exit(int(os.environ['STATUS']))"
    assert attend([sys.executable, "-c", script], timeout_seconds=30, env={"STATUS": "3"}) == 3


@pytest.mark.parametrize("to_stderr", [False, True])
def test_what_it_says_can_be_kept_off_standard_output(capfd: pytest.CaptureFixture[str], *, to_stderr: bool) -> None:
    """Nothing of it is lost: a command that prints JSON has it on standard error."""
    script = "import sys; print('said', flush=True); print('complained', file=sys.stderr)"
    attend([sys.executable, "-c", script], timeout_seconds=30, env={}, to_stderr=to_stderr)
    said = capfd.readouterr()
    assert (said.out, said.err) == (("", "said\ncomplained\n") if to_stderr else ("said\n", "complained\n"))


def test_a_program_that_is_missing_or_late_is_an_error() -> None:
    """Late ones are asked to end, and have ended."""
    with pytest.raises(ToolError, match="no-such-program is not installed"):
        attend(["no-such-program"], timeout_seconds=1, env=os.environ)
    with pytest.raises(ToolError, match="did not finish in"):
        attend([sys.executable, "-c", "import time; time.sleep(60)"], timeout_seconds=0.2, env=os.environ)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_passed_on_and_waited_for(number: signal.Signals) -> None:
    """The program takes back what it did before the command ends; it is not killed on the way."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == "ready\n"
        ours.send_signal(number)
        assert ours.stdout.read().splitlines() == [f"cleaned up after {number.name}", ENDED]


@pytest.fixture
def terminal() -> Iterator[int]:
    """Return our end of a terminal in whose foreground the command runs."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", AT_TERMINAL + PARENT]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdin=theirs, stdout=theirs, start_new_session=True):
        yield ours
        os.close(ours)
    os.close(theirs)


def test_ctrl_c_at_a_terminal_is_said_once(terminal: int) -> None:
    """The terminal tells the program itself: to hear it twice means to `pulumi` that there is no time to clean up."""
    seen = _read_until(terminal, "ready")
    os.write(terminal, b"\x03")
    seen += _read_until(terminal, ENDED)
    assert "cleaned up after SIGINT" in seen
    assert "told again" not in seen


def _read_until(descriptor: int, text: str) -> str:
    """Return what is shown at a terminal up to `text`."""
    seen = ""
    while text not in seen:
        seen += os.read(descriptor, 1024).decode()
    return seen
