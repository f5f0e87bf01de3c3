from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from infra.adapters.source_state import source_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false")
PATHS = ["app", "Dockerfile"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with an app that no git knows."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("1")
    (tmp_path / "app" / "link").symlink_to("main.py")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "app" / "main.py").write_text("2"),
        lambda root: (root / "app" / "main.py").chmod(0o755),
        lambda root: (root / "app" / "main.py").rename(root / "app" / "other.py"),
        lambda root: (root / "app" / "more.py").write_text(""),
        lambda root: ((root / "app" / "link").unlink(), (root / "app" / "link").symlink_to("other.py")),
        lambda root: (root / "Dockerfile").write_text("FROM other\n"),
        lambda root: (root / "Dockerfile").unlink(),
    ],
    ids=["content", "mode", "name", "new file", "link", "path that is a file", "path that is gone"],
)
def test_without_git_every_change_is_another_state(root: Path, change: Callable[[Path], object]) -> None:
    """The files themselves are looked at."""
    before = source_state(root, PATHS)
    assert source_state(root, PATHS) == before
    change(root)
    assert source_state(root, PATHS) != before


def test_what_is_not_of_the_sources_does_not_count(root: Path) -> None:
    """Neither does what lies beside them, nor what git keeps for itself in a folder that it cannot describe."""
    before = source_state(root, PATHS)
    (root / "notes.md").write_text("words")
    (root / "app" / ".git").mkdir()
    (root / "app" / ".git" / "index").write_text("1")
    assert source_state(root, PATHS) == before


@pytest.mark.parametrize("target", ["app", "app/main.py"])
def test_a_path_that_is_a_link_is_what_it_leads_to(root: Path, target: str) -> None:
    """A change in the folder or file that it means is seen."""
    (root / "linked").symlink_to(target)
    before = source_state(root, ["linked"])
    (root / "app" / "main.py").write_text("2")
    assert source_state(root, ["linked"]) != before


def test_with_git_the_state_is_version_and_commit(root: Path) -> None:
    """What is uncommitted shows too, and what git ignores does not."""
    for arguments in (("init", "-q"), ("add", "--all"), ("commit", "-q", "-m", "Begin"), ("tag", "v7")):
        subprocess.run([*GIT, *arguments], cwd=root, check=True, timeout=30)
    version, commit = source_state(root, PATHS).split()
    assert (version, len(commit)) == ("v7", 40)
    (root / "app" / "main.py").write_text("2")
    assert source_state(root, PATHS).startswith("v7-dirty.")
