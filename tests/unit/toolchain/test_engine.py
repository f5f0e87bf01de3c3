from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.toolchain import engine
from infra.toolchain.owned import OwnedProcess, identity
from infra.toolchain.progress import Progress


@pytest.mark.parametrize("content", ["999999999", "", "nonsense", "1"])
def test_stale_pid_file_is_removed(tmp_path: Path, content: str) -> None:
    """A pid file that names no process, or another program's, is removed: the daemon would refuse to start."""
    path = tmp_path / "docker.pid"
    path.write_text(content)
    assert engine.remove_stale_pid_file(path, "dockerd")
    assert not path.exists()


def test_pid_file_of_a_running_daemon_stays(tmp_path: Path) -> None:
    """A pid file of the running daemon is left alone."""
    path = tmp_path / "docker.pid"
    path.write_text(f"{os.getpid()}\n")
    own_name = Path("/proc/self/comm").read_text().strip()
    assert not engine.remove_stale_pid_file(path, own_name)
    assert path.exists()


def test_pid_file_of_a_zombie_is_stale(tmp_path: Path) -> None:
    """A killed daemon that nobody reaped, as in a container without an init, does not count as running."""
    path = tmp_path / "docker.pid"
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        path.write_text(str(process.pid))
        assert engine.remove_stale_pid_file(path, name)


def test_missing_pid_file_is_no_news(tmp_path: Path) -> None:
    """Nothing is said to be removed where nothing was."""
    assert not engine.remove_stale_pid_file(tmp_path / "docker.pid", "dockerd")


def test_only_the_very_process_is_stopped(tmp_path: Path) -> None:
    """A note whose number another process got meanwhile stops nothing."""
    owned = OwnedProcess(note=tmp_path / "note.json")
    found = identity(os.getpid())
    assert found is not None
    owned.note.write_text(json.dumps({**found, "started": "1"}))
    assert owned.known()
    assert not owned.running()
    owned.stop(timeout_seconds=0)


def test_own_process_is_stopped_and_forgotten(tmp_path: Path) -> None:
    """A process written down is ended and its note removed; a zombie counts as ended."""
    owned = OwnedProcess(note=tmp_path / "note.json")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owned.remember(process.pid)
        assert owned.running()
        owned.stop(timeout_seconds=10)
        assert not owned.known()


@pytest.mark.parametrize("content", ["", "null", "[]", '{"pid": "x"}'])
def test_broken_note_means_nothing_runs(tmp_path: Path, content: str) -> None:
    """A note cut off by a full disk is no process."""
    owned = OwnedProcess(note=tmp_path / "note.json")
    owned.note.write_text(content)
    assert not owned.running()


def test_engine_with_containers_is_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`down` does not stop an engine that still runs somebody's container."""
    ours = engine.Engine(cache=tmp_path)
    ours.owned.remember(os.getpid())
    monkeypatch.setattr(engine, "ask", lambda _argv: "1a2b3c\n")
    said = io.StringIO()
    ours.stop(Progress(stream=said))
    assert said.getvalue().endswith("docker engine: left running, 1 containers use it\n")


def test_containers_weigh_more_on_an_engine_from_here_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group of an engine that was started from here gets its weight; another's, and a missing group, stay."""
    there, missing = tmp_path / "cpu.shares", tmp_path / "cpu.weight"
    there.write_text("1024\n")
    monkeypatch.setattr(engine, "GROUP_WEIGHTS", {there: 4096, missing: 400})
    step = engine.Engine(cache=tmp_path)
    step.favour_containers()
    assert there.read_text() == "1024\n"
    step.owned.remember(os.getpid())
    step.favour_containers()
    assert there.read_text() == "4096\n"
    assert not missing.exists()
