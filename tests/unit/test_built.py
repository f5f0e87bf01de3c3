"""A tag that an update is to release, and the build that it must still lead to."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from infra import sources
from infra.checks import built
from infra.domain.release import ImageRef
from infra.errors import GateError, SettingsError, UsageError
from infra.release import Earlier
from infra.settings.build_file import FILE_VARIABLE, HASH_VARIABLE
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.settings import Settings

NAMES = ("acp-ingest", "acp-agents")
BUILT, OLDER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
PRINTS = dict.fromkeys(make_settings().secrets.names, "0" * 16)


class FakeRegistry:
    """A registry that has every tag; `moved` is what somebody put under the tag of the agents."""

    def __init__(self, moved: str = BUILT) -> None:
        """Have every tag at the digest of the build but that one."""
        self.digests = {"acp-ingest": BUILT, "acp-agents": moved}

    def resolve(self, name: str, tag: str) -> ImageRef:
        """Return what the tag leads to now."""
        return ImageRef(name=name, repository=f"registry.test:5000/acp/{name}", tag=tag, digest=self.digests[name])

    def pin(self, image: str) -> pulumi.Output[str]:
        """Return a third-party image by some digest."""
        return pulumi.Output.from_input(f"registry.test:5000/{image.rpartition(':')[0]}@{OLDER}")


@pytest.fixture
def build_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a build, which the environment names as a job of CI does: below the project, with its hash."""
    monkeypatch.setattr(built, "PROJECT_ROOT", tmp_path)
    images = {name: f"r.test/acp/{name}@{BUILT}" for name in NAMES}
    path = tmp_path / "reports" / "build.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"image_tag": "v2", "commit": "", "images": images, "built": NAMES}), encoding="utf-8")
    monkeypatch.setenv(FILE_VARIABLE, "reports/build.json")
    monkeypatch.setenv(HASH_VARIABLE, hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def released(monkeypatch: pytest.MonkeyPatch, registry: FakeRegistry, **changes: Any) -> dict[str, str]:
    """Return the digest of each image that an update would release, as the program finds it for preview and update."""
    monkeypatch.setattr(sources, "PublishedImages", lambda *_: registry)
    settings: Settings = make_settings(**{"image_tag": "v2", **changes})

    async def find() -> dict[str, str]:
        source = sources.find_source(settings, Earlier.of({}, {}), pulumi.Output.from_input(""), PRINTS)
        release = await source.release.future()
        assert release is not None
        return {ref.name: ref.digest for ref in release.images}

    return asyncio.run(find())


@pytest.mark.usefixtures("build_file")
def test_what_was_built_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the tag leads to what the build made it is released, whatever the registry is called there."""
    assert released(monkeypatch, FakeRegistry()) == dict.fromkeys(NAMES, BUILT)


@pytest.mark.usefixtures("build_file")
def test_a_tag_that_moved_since_the_build_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older image under the tag may be signed too: both digests are named, and what to do."""
    with pytest.raises(GateError) as caught:
        released(monkeypatch, FakeRegistry(moved=OLDER))
    assert f"acp-agents: the tag v2 moved: the build made {BUILT}, the registry now has {OLDER}" in caught.value.what
    assert "acp-ingest" not in caught.value.what
    assert "build again" in caught.value.mend
    assert "no host was changed" in caught.value.mend


@pytest.mark.usefixtures("build_file")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"image_tag": "v3"}, "the build is of v2, and this would release v3"),
        (
            {"images": {**make_settings().model_dump()["images"], "other": {"context": ".", "dockerfile": "D"}}},
            "other: ",
        ),
    ],
    ids=["another tag", "an image that was not built"],
)
def test_what_the_build_does_not_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], expected: str
) -> None:
    """Another tag than the build's is refused, and so is an image that it did not make."""
    registry = FakeRegistry()
    registry.digests["other"] = OLDER
    with pytest.raises(GateError, match=expected):
        released(monkeypatch, registry, **changes)


@pytest.mark.usefixtures("build_file")
def test_an_update_that_lost_its_tag_does_not_build_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a build is named nothing is built; the tag to set is said."""
    with pytest.raises(UsageError, match="this update would build anew") as caught:
        released(monkeypatch, FakeRegistry(), image_tag=None)
    assert "ACP_IMAGE_TAG=v2" in caught.value.mend


@pytest.mark.usefixtures("build_file")
def test_a_rollback_asks_for_no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes by the record, also in a shell or a job that still names a build."""
    with pytest.raises(UsageError, match="v1-0 is not in this stack's record"):
        released(monkeypatch, FakeRegistry(moved=OLDER), image_tag=None, rollback_to="v1-0")


@pytest.mark.parametrize("lost", ["", "0" * 64], ids=["lost", "of another file"])
def test_a_file_that_the_build_did_not_write_is_refused(
    monkeypatch: pytest.MonkeyPatch, build_file: Path, lost: str
) -> None:
    """The hash went another way than the file: one that is empty got lost, and lets nothing through."""
    monkeypatch.setenv(HASH_VARIABLE, lost)
    with pytest.raises(GateError, match="is not what the build wrote") as caught:
        released(monkeypatch, FakeRegistry())
    assert hashlib.sha256(build_file.read_bytes()).hexdigest() in caught.value.where


def test_a_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, build_file: Path) -> None:
    """A file that was named and did not arrive is no leave to release what the tag leads to."""
    build_file.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        released(monkeypatch, FakeRegistry())


@pytest.mark.usefixtures("build_file")
def test_a_hash_without_its_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that something was built."""
    monkeypatch.setenv(FILE_VARIABLE, "")
    with pytest.raises(UsageError, match="ACP_BUILD_HASH is set without ACP_BUILD_FILE"):
        released(monkeypatch, FakeRegistry())


@pytest.mark.parametrize("value", [None, ""], ids=["by hand", "a published tag in CI"])
def test_where_no_build_is_named_the_tag_says_what_is_released(
    monkeypatch: pytest.MonkeyPatch, build_file: Path, value: str | None
) -> None:
    """A tag that was published before is released as it is; a file that lies there by chance counts for nothing."""
    assert build_file.exists()
    for name in (FILE_VARIABLE, HASH_VARIABLE):
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    assert released(monkeypatch, FakeRegistry(moved=OLDER)) == {"acp-ingest": BUILT, "acp-agents": OLDER}


def test_by_hand_a_file_needs_no_hash(monkeypatch: pytest.MonkeyPatch, build_file: Path) -> None:
    """Nobody else had it between the build and the update; it may also be named from the root."""
    monkeypatch.delenv(HASH_VARIABLE)
    monkeypatch.setenv(FILE_VARIABLE, str(build_file))
    assert released(monkeypatch, FakeRegistry()) == dict.fromkeys(NAMES, BUILT)
    with pytest.raises(GateError, match="the tag v2 moved"):
        released(monkeypatch, FakeRegistry(moved=OLDER))
