from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from infra.adapters.git import checkout_commit, commit_facts, commit_of, describe_sources, head_commit
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

    def link(self, name: str, target: str) -> None:
        """Make a symlink, or lead it elsewhere."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def inside(self, name: str) -> Repository:
        """Return a new repository in a folder of this one, which this one does not track."""
        (self.root / name).mkdir(parents=True)
        return Repository(self.root / name)

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
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return make_repository(tmp_path / "project")


def make_repository(root: Path) -> Repository:
    """Return an empty repository at `root`."""
    root.mkdir()
    return Repository(root)


@pytest.fixture
def other(repository: Repository) -> Repository:
    """Return another repository beside that one."""
    return make_repository(repository.root.parent / "other")


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


def test_an_untracked_link_counts_by_its_target(repository: Repository) -> None:
    """A link is hashed by where it leads, be it to a folder or to nothing, and is another thing than a file."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    versions = []
    for target in ("../docs", "..", "nowhere"):
        repository.link("app/linked", target)
        versions.append(repository.version())
        assert repository.version() == versions[-1]
    (repository.root / "app" / "linked").unlink()
    repository.write("app/linked", "nowhere")
    versions.append(repository.version())
    assert all(version.startswith("v1-dirty.") for version in versions)
    assert len(set(versions)) == len(versions)


def test_an_untracked_file_counts_by_its_mode(repository: Repository) -> None:
    """A build copies the mode of a file, so a program is another content than the same text that cannot run."""
    repository.commit("app/main.py", "1")
    repository.write("app/run.sh", "true")
    plain = repository.version()
    (repository.root / "app" / "run.sh").chmod(0o755)
    assert repository.version() != plain


def test_untracked_names_and_contents_are_told_apart(repository: Repository) -> None:
    """What moves from a file's content into its name makes another version."""
    repository.commit("app/main.py", "1")
    repository.write("app/a", "bc")
    first = repository.version()
    (repository.root / "app" / "a").unlink()
    repository.write("app/ab", "c")
    assert repository.version() != first


def test_a_file_that_cannot_be_read_is_an_error_with_a_mend(repository: Repository) -> None:
    """A file whose name is no text cannot be asked for; the error names it."""
    repository.commit("app/main.py", "1")
    (repository.root / "app" / "odd\udcff").write_text("1")
    with pytest.raises(SettingsError, match=r"app/odd.*: No such file") as caught:
        repository.version()
    assert "`acp:version`" in caught.value.mend


def test_a_nested_repository_counts_by_its_state(repository: Repository) -> None:
    """One that is not tracked makes a version by its commit and by what is uncommitted in it, without any as well."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    nested = repository.inside("app/vendor")
    nested.write("lib.py", "1")
    versions = [repository.version()]
    nested.commit("lib.py", "1")
    versions.append(repository.version())
    nested.commit("lib.py", "2")
    versions.append(repository.version())
    nested.write("lib.py", "3")
    versions.append(repository.version())
    nested.write("new.py", "1")
    versions.append(repository.version())
    assert repository.version() == versions[-1]
    assert all(version.startswith("v1-dirty.") for version in versions)
    assert len(set(versions)) == len(versions)


def test_a_submodule_counts_by_what_is_in_it(repository: Repository, other: Repository) -> None:
    """As it is committed it changes nothing; a change in it makes a version, each content its own."""
    add_submodule(repository, other)
    versions = [repository.version()]
    inside = Repository(repository.root / "app" / "module")
    for name, text in (("lib.py", "2"), ("lib.py", "3"), ("new.py", "1"), ("new.py", "2")):
        inside.write(name, text)
        versions.append(repository.version())
    assert versions[0] == "v1"
    assert all(version.startswith("v1-dirty.") for version in versions[1:])
    assert len(set(versions)) == len(versions)


def add_submodule(repository: Repository, other: Repository) -> None:
    """Make `other` a submodule at `app/module`, all at tag v1; `other` itself is at its own tag v7."""
    other.commit("lib.py", "1")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.root), "app/module")
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    Repository(repository.root / "app" / "module").git("tag", "v7")


def test_a_submodule_alone_has_its_own_version(repository: Repository, other: Repository) -> None:
    """Sources in a submodule are described by it; with the project's files beside them the project describes both."""
    add_submodule(repository, other)
    assert describe_sources(repository.root, ["app/module"]).version == "v7"
    assert describe_sources(repository.root, ["app/module/lib.py"]).version == "v7"
    assert describe_sources(repository.root, ["app/module/lib.py", "app/main.py"]).version == "v1"
    Repository(repository.root / "app" / "module").write("lib.py", "2")
    assert describe_sources(repository.root, ["app/module", "app/main.py"]).version.startswith("v1-dirty.")


@pytest.mark.parametrize("way", ["relative", "absolute", "link", "nested"])
def test_sources_elsewhere_have_the_version_of_their_repository(
    repository: Repository, other: Repository, way: str
) -> None:
    """Another repository beside, linked or nested is described by itself; its commit is none of the project's."""
    repository.commit("app/main.py", "1")
    repository.git("tag", "v1")
    found = repository.inside("nested") if way == "nested" else other
    commit = found.commit("service/main.py", "1")
    found.git("tag", "v7")
    found.commit("docs.md", "words")
    repository.link("linked", "../other/service")
    path = {"relative": "../other/service", "absolute": f"{other.root}/service", "link": "linked"}.get(way)
    sources = describe_sources(repository.root, [path or "nested/service"])
    assert (sources.version, sources.commit, sources.project_commit) == ("v7", commit, "")
    found.write("service/main.py", "2")
    assert describe_sources(repository.root, [path or "nested/service"]).version.startswith("v7-dirty.")


def test_sources_of_the_project_have_its_commit(repository: Repository) -> None:
    """Also where the project is a folder of its repository and the sources are beside it."""
    commit = repository.commit("app/main.py", "1")
    repository.commit("release/readme.md", "words")
    found = describe_sources(repository.root / "release", ["../app"])
    assert (found.commit, found.project_commit) == (commit, commit)


def test_sources_in_two_repositories_are_an_error_with_a_mend(repository: Repository, other: Repository) -> None:
    """No commit of one says what is in the other: the version must be set, and each path's repository is named."""
    repository.commit("app/main.py", "1")
    other.commit("main.py", "1")
    with pytest.raises(SettingsError) as caught:
        describe_sources(repository.root, ["../other", "app/main.py"])
    assert caught.value.problems == (
        f"../other is in the git repository {other.root}",
        f"app/main.py is in the git repository {repository.root}",
    )
    assert "`acp:version`" in caught.value.mend


def test_a_link_counts_with_what_it_leads_to(repository: Repository) -> None:
    """Sources behind a link of the same repository change the version, and so does a link that leads elsewhere."""
    repository.commit("one/main.py", "1")
    repository.write("two/main.py", "2")
    repository.link("app", "one")
    repository.git("add", "--all")
    repository.git("commit", "-q", "-m", "Add the rest")
    repository.git("tag", "v1")
    assert repository.version() == "v1"
    repository.write("one/main.py", "3")
    assert repository.version().startswith("v1-dirty.")
    repository.link("app", "two")
    assert repository.version().startswith("v1-dirty.")


def test_outside_a_repository_it_is_an_error_with_a_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git history the version must be set, and the error says where."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path(tmp_path).parent))
    with pytest.raises(SettingsError, match=f"{tmp_path}/app: .*not a git repository") as caught:
        describe_sources(tmp_path, ["app"])
    assert "`acp:version`" in caught.value.mend


def test_without_git_nothing_is_known_of_a_commit(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of a checkout, or on a machine without git, whatever asks for a commit gets an empty one."""

    def known(root: Path) -> list[str]:
        return [head_commit(root), checkout_commit(root), commit_of(root, "HEAD"), *commit_facts(root, "HEAD")]

    commit = repository.commit("app/main.py", "1")
    assert known(repository.root)[:3] == [commit] * 3
    assert known(tmp_path) == [""] * 5
    monkeypatch.setenv("PATH", "")
    assert known(repository.root) == [""] * 5


def test_a_commits_branch_and_time_are_known(repository: Repository) -> None:
    """The checked-out branch, and the commit's own time in UTC; what git does not know is empty."""
    branch, moment = commit_facts(repository.root, repository.commit("app/a", "1"))
    assert branch == "main"
    assert datetime.fromisoformat(moment).utcoffset() == timedelta(0)
    assert commit_facts(repository.root, "") == (branch, "")
    assert commit_facts(repository.root, "0" * 40) == (branch, "")
