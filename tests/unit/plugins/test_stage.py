from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.toolchain.plugins import stage

NAMES = sorted(stage.VERSIONS)


@pytest.mark.parametrize("name", NAMES)
def test_staged_folder_has_all_it_needs(name: str, tmp_path: Path) -> None:
    """A staged plugin starts without the checkout; what it prints without an engine says what it is."""
    folder = stage.stage(name, tmp_path / name, python=Path(sys.executable))
    assert os.access(folder / f"pulumi-resource-{name}", os.X_OK)
    argv = [str(folder / f"pulumi-resource-{name}")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "this is a Pulumi plugin" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_staged_folder_is_marked_and_current(name: str, tmp_path: Path) -> None:
    """The mark tells ours from the official one, and today's code from an older one."""
    folder = stage.stage(name, tmp_path / name, python=Path(sys.executable))
    assert stage.is_drop_in(folder)
    assert stage.is_current(name, folder)
    (folder / stage.MARK).write_text("another digest")
    assert not stage.is_current(name, folder)


def test_folder_without_its_python_is_not_current(tmp_path: Path) -> None:
    """A plugin whose Python is gone must be staged anew."""
    folder = stage.stage("command", tmp_path / "command", python=tmp_path / "gone")
    assert not stage.is_current("command", folder)


def test_staging_replaces_what_was_there(tmp_path: Path) -> None:
    """Nothing of an older plugin stays."""
    (tmp_path / "command").mkdir()
    (tmp_path / "command" / "old").touch()
    assert not (stage.stage("command", tmp_path / "command", python=Path(sys.executable)) / "old").exists()


def test_official_folder_is_not_a_drop_in(tmp_path: Path) -> None:
    """A folder without the mark is the official plugin's."""
    assert not stage.is_drop_in(tmp_path)
    assert not stage.is_current("command", tmp_path)
