from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from infra.adapters import build_residue
from infra.adapters.build_residue import clean_until_end

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_other_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other run build, whatever this machine does."""
    monkeypatch.setattr(build_residue, "_is_building", lambda: False)


def build(root: Path, name: str, *, age_seconds: float = 0, finished: bool = False) -> Path:
    """Make what one build leaves: a folder with a login, and once it is over its metadata."""
    path = root / name
    path.mkdir()
    (path / "config.json").write_text('{"auths": {}}', encoding="utf-8")
    if finished:
        (path / "metadata.json").write_text("{}", encoding="utf-8")
    moment = time.time() - age_seconds
    os.utime(path, (moment, moment))
    return path


def test_when_the_engine_has_ended_all_folders_of_the_run_go(tmp_path: Path) -> None:
    """What this run's builds left is removed; older folders and others' are not."""
    ended = subprocess.Popen([sys.executable, "-IS", "-c", ""])
    ended.wait(timeout=30)
    own = build(tmp_path, "pulumi-docker-1")
    older = build(tmp_path, "pulumi-docker-2", age_seconds=600)
    foreign = build(tmp_path, "something-else")
    clean_until_end(ended.pid, time.time() - 60, tmp_path)
    assert [path.exists() for path in (own, older, foreign)] == [False, True, True]


def test_a_build_of_another_run_keeps_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another run builds, only the logins of finished builds go."""
    monkeypatch.setattr(build_residue, "_is_building", lambda: True)
    monkeypatch.setattr(build_residue.time, "sleep", lambda _seconds: None)
    ended = subprocess.Popen([sys.executable, "-IS", "-c", ""])
    ended.wait(timeout=30)
    finished = build(tmp_path, "pulumi-docker-1", finished=True)
    running = build(tmp_path, "pulumi-docker-2")
    clean_until_end(ended.pid, time.time() - 60, tmp_path)
    assert [(path / "config.json").exists() for path in (finished, running)] == [False, True]


def test_a_finished_build_loses_its_login_while_the_engine_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password goes as soon as a build is over; a build that runs keeps what it needs."""
    engine = subprocess.Popen([sys.executable, "-IS", "-c", "import time; time.sleep(60)"])
    finished = build(tmp_path, "pulumi-docker-1", finished=True)
    running = build(tmp_path, "pulumi-docker-2")
    seen: list[bool] = []

    def end_engine(_seconds: float) -> None:
        seen.extend((path / "config.json").exists() for path in (finished, running))
        engine.kill()
        engine.wait()

    monkeypatch.setattr(build_residue.time, "sleep", end_engine)
    clean_until_end(engine.pid, time.time() - 60, tmp_path)
    assert seen == [False, True]
    assert not finished.exists()
    assert not running.exists()
