from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from infra.adapters.git import commit_facts, describe_sources
from infra.errors import SettingsError

IDENTITY = ["-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"]


class Repository:
    """A git repository in a temporary folder."""

    def __init__(self, root: Path) -> None:
        """Make it, without a commit."""
        self.root = root
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        """Run git and return its output."""
        command = ["git", *IDENTITY, *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True, timeout=30).stdout

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, name: str, text: str) -> str:
        """Write and commit a file; return the commit."""
        self.write(name, text)
        self.git("add", name)
        self.git("commit", "-q", "-m", f"Change {name}")
        return self.git("rev-parse", "HEAD").strip()

    def version(self) -> str:
        """Return the version of the folder `app`."""
        return describe_sources(self.root, ["app"]).version


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Return an empty repository that the machine's own git settings do not touch."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return Repository(tmp_path)


def test_a_tagged_commit_has_its_tag(repository: Repository) -> None:
    """The version of a tagged commit is the tag, and the commit is the full one."""
    commit = repository.commit("app/main.py", "1")
    repository.git("tag", "v1.4.2")
    found = describe_sources(repository.root, ["app"])
    assert (found.version, found.commit) == ("v1.4.2", commit)


def test_without_a_tag_it_is_the_commit(repository: Repository) -> None:
    """A repository without tags gives the abbreviated commit."""
    commit = repository.commit("app/main.py", "1")
    assert commit.startswith(repository.version())


def test_later_commits_are_counted_from_the_tag(repository: Repository) -> None:
    """Two commits after the tag: `v1-2-g…`."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    repository.commit("app/main.py", "2")
    commit = repository.commit("app/main.py", "3")
    assert repository.version() == f"v1-2-g{commit[:7]}"


def test_an_unrelated_commit_does_not_change_the_version(repository: Repository) -> None:
    """Only commits that touch the sources count, so that nothing else makes a new release."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    repository.commit("docs/readme.md", "words")
    assert repository.version() == "v1"


def test_a_change_that_is_not_committed_shows(repository: Repository) -> None:
    """A changed file makes another version, each content its own; taken back, the version is the old one."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    repository.write("app/main.py", "2")
    changed = repository.version()
    assert changed.startswith("v1-dirty.")
    repository.write("app/main.py", "3")
    assert repository.version() not in {changed, "v1"}
    repository.write("app/main.py", "2")
    assert repository.version() == changed
    repository.write("app/main.py", "1")
    assert repository.version() == "v1"


def test_a_staged_change_shows(repository: Repository) -> None:
    """What is added but not committed counts as changed."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    repository.write("app/main.py", "2")
    repository.git("add", "app/main.py")
    assert repository.version().startswith("v1-dirty.")


@pytest.mark.parametrize("name", ["app/new.py", "app/ein Wörtchen.py"])
def test_an_untracked_file_shows(repository: Repository, name: str) -> None:
    """A new file is part of the build, so it changes the version, and its content does too."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    repository.write(name, "1")
    first = repository.version()
    repository.write(name, "2")
    assert first.startswith("v1-dirty.")
    assert repository.version() not in {first, "v1"}


def test_an_ignored_file_does_not_count(repository: Repository) -> None:
    """What git ignores (caches) makes no version."""
    repository.commit("app/main.py", "1")
    repository.commit(".gitignore", "*.pyc\n")
    repository.git("tag", "v1")
    before = repository.version()
    repository.write("app/main.pyc", "cache")
    assert repository.version() == before


def test_a_change_elsewhere_does_not_show(repository: Repository) -> None:
    """Uncommitted work outside the sources is no matter of theirs."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    repository.write("docs/readme.md", "words")
    assert repository.version() == "v1"


def test_sources_without_a_commit_are_unversioned(repository: Repository) -> None:
    """Paths that no commit has touched yet are still told apart by their content."""
    repository.commit("docs/readme.md", "words")
    repository.write("app/main.py", "1")
    found = describe_sources(repository.root, ["app"])
    assert found.commit == ""
    assert found.version.startswith("unversioned-dirty.")


def test_outside_a_repository_it_is_an_error_with_a_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git history the version must be set, and the error says where."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path(tmp_path).parent))
    with pytest.raises(SettingsError) as caught:
        describe_sources(tmp_path, ["app"])
    assert "`acp:version`" in caught.value.mend


def test_a_commits_branch_and_time_are_known(repository: Repository) -> None:
    """The checked-out branch, and the commit's own time in UTC; what git does not know is empty."""
    branch, moment = commit_facts(repository.root, repository.commit("app/a", "1"))
    assert branch == "main"
    assert datetime.fromisoformat(moment).utcoffset() == timedelta(0)
    assert commit_facts(repository.root, "") == (branch, "")
    assert commit_facts(repository.root, "0" * 40) == (branch, "")
