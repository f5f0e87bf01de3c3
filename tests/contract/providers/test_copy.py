from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from tests.contract.providers.engine_run import is_secret
from tests.contract.providers.sdk import CopyToRemote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.providers.conftest import Host
    from tests.contract.providers.engine_run import Outcome, StackRun

pytestmark = pytest.mark.lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A stack taken through its life: created, run again unchanged, changed, destroyed; with what was on the host."""

    created: Outcome
    created_state: dict[str, dict[str, Any]]
    created_files: dict[str, str]
    unchanged: Outcome
    changed: Outcome
    changed_state: dict[str, dict[str, Any]]
    changed_files: dict[str, str]
    destroyed: Outcome
    last_files: dict[str, str]
    stored: str


def declare(host: Host, local: Path, version: int, *, failing: bool = False) -> None:
    """Declare one copy per row of behaviour; `version` 2 changes them, `failing` adds what cannot be copied."""

    def copy(name: str, source: pulumi.Asset | pulumi.Archive, path: str, **inputs: Any) -> None:
        wanted: dict[str, Any] = {"connection": host.connection(), **inputs}
        CopyToRemote(name, source=source, remote_path=f"{host.folder}/{path}", **wanted)

    copy("text", pulumi.StringAsset(f"text {version}"), "new/parent/text")
    copy("file", pulumi.FileAsset(str(local / "file")), "file")
    copy("into-folder", pulumi.FileAsset(str(local / "file")), "existing")
    copy("folder", pulumi.FileArchive(str(local / "tree")), "folder")
    copy("contents", pulumi.FileArchive(f"{local / 'tree'}/"), "contents")
    copy("moved", pulumi.StringAsset("moved"), f"moved{version}")
    copy("rekeyed", pulumi.StringAsset("rekeyed"), "rekeyed", connection=host.connection(dial_error_limit=version))
    copy("triggered", pulumi.StringAsset("triggered"), "triggered", triggers=[version])
    if failing:
        copy("text-onto-folder", pulumi.StringAsset("x"), "existing")
        copy("folder-onto-file", pulumi.FileArchive(f"{local / 'tree'}/"), "a-file")


def files(host: Host) -> dict[str, str]:
    """Return every file of the tests' folder with its content."""
    listing = host.run(f'cd {host.folder} && find . -type f -exec sh -c \'echo "$1 $(cat "$1")"\' - {{}} \\;')
    pairs = (line.split(" ", 1) for line in listing.splitlines())
    return {path.removeprefix("./"): content for path, content in pairs}


@pytest.fixture(scope="module")
def steps(host: Host, new_stack: Callable[[], StackRun], tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """Take the stack through its life."""
    local = tmp_path_factory.mktemp("local")
    (local / "tree" / "below").mkdir(parents=True)
    (local / "tree" / "below" / "leaf").write_text("leaf")
    (local / "file").write_text("content 1")
    host.run(f"mkdir {host.folder}/existing && touch {host.folder}/a-file")
    stack = new_stack()
    created, created_state = stack.up(lambda: declare(host, local, 1, failing=True), failing=True), stack.state()
    created_files = files(host)
    unchanged = stack.up(lambda: declare(host, local, 1))
    (local / "file").write_text("content 2")
    (local / "tree" / "below" / "leaf").unlink()
    (local / "tree" / "new-leaf").write_text("new leaf")
    host.run(f"rm {host.folder}/rekeyed")
    changed, changed_state = stack.up(lambda: declare(host, local, 2)), stack.state()
    changed_files = files(host)
    destroyed = stack.destroy()
    return Steps(
        created=created,
        created_state=created_state,
        created_files=created_files,
        unchanged=unchanged,
        changed=changed,
        changed_state=changed_state,
        changed_files=changed_files,
        destroyed=destroyed,
        last_files=files(host),
        stored=stack.stored(),
    )


def test_id_is_eight_hex_digits(steps: Steps) -> None:
    """A copy's id is eight hexadecimal digits."""
    assert re.fullmatch("[0-9a-f]{8}", steps.created_state["text"]["id"])


def test_state_keeps_source_with_its_hash_and_the_path(steps: Steps, host: Host) -> None:
    """A text asset is kept with its hash and text, a file asset with its hash and path; the connection is secret."""
    outputs = steps.created_state["text"]["outputs"]
    assert outputs["remotePath"] == f"{host.folder}/new/parent/text"
    assert outputs["source"]["text"] == "text 1"
    assert len(outputs["source"]["hash"]) == 64
    assert len(steps.created_state["file"]["outputs"]["source"]["hash"]) == 64
    assert is_secret(outputs["connection"])
    assert host.private_key.splitlines()[1] not in steps.stored


def test_parents_of_the_remote_path_are_made(steps: Steps) -> None:
    """Folders above the remote path are made."""
    assert steps.created_files["new/parent/text"] == "text 1"


def test_file_goes_to_the_path_or_into_the_folder_there(steps: Steps) -> None:
    """A file is copied to the remote path, or into it where that is a folder."""
    assert steps.created_files["file"] == "content 1"
    assert steps.created_files["existing/file"] == "content 1"


def test_folder_goes_into_the_path_and_its_contents_with_a_slash(steps: Steps) -> None:
    """A folder is copied below the remote path under its own name; with a trailing slash only what is in it."""
    assert steps.created_files["folder/tree/below/leaf"] == "leaf"
    assert steps.created_files["contents/below/leaf"] == "leaf"


def test_unchanged_sources_are_not_copied_again(steps: Steps) -> None:
    """A second run of the same program changes nothing."""
    assert steps.unchanged.succeeded
    assert all(operations == ["same"] for operations in steps.unchanged.operations.values())


@pytest.mark.parametrize("name", ["text", "file", "into-folder", "folder", "contents", "moved", "rekeyed"])
def test_every_change_is_an_update_in_place(steps: Steps, name: str) -> None:
    """Another text, file content, path or connection updates in place; the id stays."""
    assert steps.changed.operations[name] == ["update"]
    assert steps.changed_state[name]["id"] == steps.created_state[name]["id"]


def test_changed_content_is_copied(steps: Steps) -> None:
    """The same path with another content is copied over the old one."""
    assert steps.changed_files["new/parent/text"] == "text 2"
    assert steps.changed_files["file"] == "content 2"
    assert steps.changed_files["contents/new-leaf"] == "new leaf"


def test_changed_path_leaves_the_old_copy(steps: Steps) -> None:
    """Another remote path gets a copy; the old one stays."""
    assert steps.changed_files["moved1"] == steps.changed_files["moved2"] == "moved"


def test_changed_connection_alone_copies_nothing(steps: Steps) -> None:
    """Another connection is noted in the state without another copy."""
    assert "rekeyed" not in steps.changed_files


def test_changed_trigger_replaces(steps: Steps) -> None:
    """A changed trigger replaces the resource, the new one first."""
    assert steps.changed.operations["triggered"] == ["create-replacement", "replace", "delete-replaced"]


def test_nothing_is_deleted_on_the_host(steps: Steps) -> None:
    """Neither files that left a folder nor destroyed copies are removed from the host."""
    assert steps.changed_files["contents/below/leaf"] == "leaf"
    assert steps.destroyed.succeeded
    assert steps.last_files == steps.changed_files


def test_text_onto_a_folder_fails(steps: Steps) -> None:
    """A text needs a file's path."""
    assert "when using a text asset, remotePath must be a file path" in steps.created.errors["text-onto-folder"]
    assert "text-onto-folder" not in steps.created_state


def test_folder_onto_a_file_fails(steps: Steps) -> None:
    """A folder cannot be copied onto a file."""
    assert "exists but is not a directory" in steps.created.errors["folder-onto-file"]
