from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

import pulumi
import pytest

from infra import sources
from infra.errors import SettingsError
from infra.image_build import build_commit, build_tag
from infra.sources import image_version, known_platform, refuse_missing_sources, sources_of
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.settings import Settings

GIT = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a project that no git knows, and an app beside it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for name in ("project", "app"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.setattr(sources, "PROJECT_ROOT", tmp_path / "project")
    return tmp_path


def make_repository(folder: Path) -> None:
    """Make a folder a repository with one commit, tagged v7."""
    for arguments in (("init", "-q"), ("add", "--all"), ("commit", "-q", "-m", "Begin"), ("tag", "v7")):
        subprocess.run([*GIT, *arguments], cwd=folder, check=True, timeout=30)


def settings(version: str | None = None) -> Settings:
    """Return a stack of two images, one from the app beside the project and one with a Dockerfile of the project."""
    images = {
        "acp-ingest": {"context": "../app", "dockerfile": "../app/Dockerfile"},
        "acp-agents": {"context": "../app", "dockerfile": "Dockerfile"},
    }
    return make_settings(images=images, version=version)


@pytest.mark.parametrize("trouble", ["no repository", "another user's", "two repositories", "no git"])
def test_a_version_that_is_set_needs_no_git(place: Path, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """With `acp:version` what git cannot describe has that version and no commit; without it that is refused."""
    if trouble != "no repository":
        make_repository(place / "app")
        make_repository(place / "project")
    if trouble == "another user's":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    if trouble == "no git":
        monkeypatch.setenv("PATH", "")
    stack = settings("v1.4.2")
    found = sources_of(stack, stack.images.values())
    assert (image_version(stack, found), build_tag(stack), found.commit) == ("v1.4.2", "v1.4.2", "")
    with pytest.raises(SettingsError) as caught:
        build_tag(settings())
    assert "`acp:version`" in caught.value.mend


def test_a_version_that_is_set_keeps_the_commit_that_git_knows(place: Path) -> None:
    """The commit of an image is that of its own sources, whatever the version is called."""
    make_repository(place / "app")
    stack = settings("v1.4.2")
    found = sources_of(stack, [stack.images["acp-ingest"]])
    assert (image_version(stack, found), len(found.commit), found.project_commit) == ("v1.4.2", 40, "")


def test_an_app_beside_the_project_has_its_own_version(place: Path) -> None:
    """Without `acp:version` the app's repository says it, also where git does not know the project."""
    make_repository(place / "app")
    stack = settings()
    assert image_version(stack, sources_of(stack, [stack.images["acp-ingest"]])) == "v7"


def test_a_build_names_no_commit_of_an_app_beside_the_project(place: Path) -> None:
    """The project's commit says nothing of sources from elsewhere, so no provenance may name it."""
    make_repository(place / "app")
    make_repository(place / "project")
    beside = {"context": "../app", "dockerfile": "../app/Dockerfile"}
    assert build_commit(make_settings(images={"acp-ingest": beside, "acp-agents": beside}, version=None)) == ""


def test_a_build_names_the_projects_commit_of_its_sources(place: Path) -> None:
    """It is that of the sources, not a later one beside them, and marked where they differ from it."""
    make_repository(place / "project")
    own = {"context": ".", "dockerfile": "Dockerfile", "sources": ["Dockerfile"]}
    stack = make_settings(images={"acp-ingest": own, "acp-agents": own}, version=None)
    head = [*GIT, "rev-parse", "HEAD"]
    commit = subprocess.run(head, cwd=place / "project", check=True, capture_output=True, text=True, timeout=30).stdout
    (place / "project" / "notes.md").write_text("words")
    assert build_commit(stack) == commit.strip()
    (place / "project" / "Dockerfile").write_text("FROM other\n")
    assert build_commit(stack) == f"{commit.strip()}-dirty"


def test_sources_that_are_not_there_are_all_named(place: Path) -> None:
    """A folder or Dockerfile that is misspelt is said with its path in the stack file, not by git or the builder."""
    images = {
        "acp-ingest": {"context": "../ap", "dockerfile": "../app/Dockerfile"},
        "acp-agents": {"context": "../app", "dockerfile": str(place / "app")},
    }
    with pytest.raises(SettingsError) as caught:
        refuse_missing_sources(make_settings(images=images, version=None))
    assert caught.value.problems == (
        "images.acp-ingest.context: there is no folder ../ap",
        f"images.acp-agents.dockerfile: there is no file {place}/app",
    )
    assert "nothing was changed" in caught.value.mend
    refuse_missing_sources(settings())


class FakeRegistry:
    """A registry in which every tag names a digest of threes, and which remembers what it was asked."""

    def __init__(self) -> None:
        """Begin with no question."""
        self.asked: list[str] = []

    def pin(self, image: str) -> pulumi.Output[str]:
        """Return the image by that digest."""
        self.asked.append(image)
        return pulumi.Output.from_input(f"registry.test:5000/{image.rpartition(':')[0]}@sha256:{'3' * 64}")


EDGE = f"registry.test:5000/library/haproxy@sha256:{'1' * 64}"
OTHER_EDGE = f"docker.io/library/haproxy@sha256:{'2' * 64}"
NAMED_EDGE = f"registry.test:5000/library/haproxy@sha256:{'3' * 64}"


@pytest.mark.parametrize(
    ("image", "recorded", "expected"),
    [
        (OTHER_EDGE, {"edge": EDGE}, OTHER_EDGE),
        ("library/haproxy:3.0", {"edge": EDGE}, EDGE),
        ("library/haproxy:3.0", {"edge": OTHER_EDGE}, NAMED_EDGE),
        ("library/haproxy:3.0", {}, NAMED_EDGE),
    ],
    ids=["pinned in the stack file", "a tag", "a tag, and the record has another repository", "a tag, not recorded"],
)
def test_a_rollback_runs_the_edge_that_the_stack_file_names(
    monkeypatch: pytest.MonkeyPatch, image: str, recorded: dict[str, str], expected: str
) -> None:
    """The record, which the backend keeps, only says which digest a tag of the same repository stays at."""
    registry = FakeRegistry()
    monkeypatch.setattr(sources, "PublishedImages", lambda *_: registry)

    async def edge() -> str | None:
        found = known_platform(make_settings(edge={"image": image}, core=None), recorded, pulumi.Output.from_input(""))
        assert list(found) == ["edge"]
        return await found["edge"].future()

    assert asyncio.run(edge()) == expected
    assert registry.asked == ([image] if expected == NAMED_EDGE else [])
