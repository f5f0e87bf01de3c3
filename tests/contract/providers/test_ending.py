from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
import pytest

from infra.toolchain.plugins import stage
from tests.contract.providers.sdk import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.providers.conftest import Host
    from tests.contract.providers.engine_run import Outcome, StackRun

START_SECONDS = 60.0
END_SECONDS = 20.0
NO_ENGINE = "127.0.0.1:1"


@pytest.fixture(params=sorted(stage.VERSIONS))
def started(request: pytest.FixtureRequest, drop_in: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a drop-in plugin below a shell that stands for the engine; yield the shell and the plugin's process id."""
    name = request.param
    executable = drop_in / f"resource-{name}-v{stage.VERSIONS[name]}" / f"pulumi-resource-{name}"
    script = '"$0" "$1" & echo "pid $!"; wait'
    argv = ["sh", "-c", script, str(executable), NO_ENGINE]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as shell:
        assert shell.stdout is not None
        words = _words(shell.stdout.fileno(), 3)
        plugin = int(words[words.index("pid") + 1])
        yield shell, plugin
        if _alive(plugin):
            os.kill(plugin, signal.SIGKILL)
        shell.kill()


def _words(descriptor: int, count: int) -> list[str]:
    """Return the first words that come out of a pipe."""
    text, end = "", time.monotonic() + START_SECONDS
    while len(text.split()) < count or not text.endswith("\n"):
        assert select.select([descriptor], [], [], end - time.monotonic())[0], "the plugin did not start"
        text += os.read(descriptor, 1000).decode()
    return text.split()


def _alive(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _ended(pid: int) -> bool:
    """Wait for a process's end; return whether it came in time."""
    end = time.monotonic() + END_SECONDS
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.1)
    return not _alive(pid)


def test_plugin_ends_when_it_is_interrupted(started: tuple[subprocess.Popen[bytes], int]) -> None:
    """The engine interrupts its plugins at the end of a run and waits for them."""
    _, plugin = started
    os.kill(plugin, signal.SIGINT)
    assert _ended(plugin)


def test_plugin_ends_with_a_killed_engine(started: tuple[subprocess.Popen[bytes], int]) -> None:
    """An engine that is killed leaves no plugin behind."""
    shell, plugin = started
    shell.kill()
    shell.wait()
    assert _ended(plugin)


@pytest.fixture(scope="module")
def interrupted(host: Host, new_stack: Callable[[], StackRun]) -> tuple[Outcome, StackRun]:
    """Interrupt an update while one command runs and another waits for a host that cannot be reached."""

    def program() -> None:
        Command("slow", connection=host.connection(), create="echo started; sleep 5; echo finished")
        Command("far", connection=host.connection(port=1, dial_error_limit=-1), create="true")

    stack = new_stack()
    return stack.up_interrupted(program, when_shown="started"), stack


@pytest.mark.lab
def test_interrupted_update_waits_for_a_running_command(interrupted: tuple[Outcome, StackRun], drop_in: Path) -> None:
    """A command that runs on a host is waited for after one interrupt, so that the state says what happened."""
    outcome, stack = interrupted
    assert not outcome.succeeded
    assert stack.state()["slow"]["outputs"]["stdout"] == "started\nfinished"


@pytest.mark.lab
def test_interrupted_update_stops_dialling(interrupted: tuple[Outcome, StackRun], drop_in: Path) -> None:
    """A host that cannot be reached is not waited for after an interrupt, whatever the limit."""
    outcome, _ = interrupted
    assert "context canceled" in outcome.errors["far"]


@pytest.mark.lab
def test_custom_timeout_ends_a_command(host: Host, new_stack: Callable[[], StackRun], drop_in: Path) -> None:
    """A command that takes longer than its resource's timeout fails, and leaves nothing in the state."""

    def program() -> None:
        timeouts = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="2s"))
        Command("late", connection=host.connection(), create="sleep 60", opts=timeouts)

    stack = new_stack()
    outcome = stack.up(program)
    assert "context deadline exceeded" in outcome.errors["late"]
    assert "late" not in stack.state()
