"""`build` as it is typed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from infra.cli import build as command
from infra.image_build import Build
from infra.settings.build_file import read_build_file
from tests.unit.cli.invoke import call

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

IMAGES = {name: f"r.test/acp/{name}@sha256:{'a' * 64}" for name in ("acp-ingest", "acp-agents")}
DONE = Build(images=IMAGES, built=["acp-agents"])


class FakeTags:
    """A registry that takes every tag."""

    def __init__(self, **login: str) -> None:
        """Take any login."""

    def add(self, pinned: str, tag: str) -> None:
        """Take a tag."""


def test_the_file_says_what_a_signature_vouches_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is where the sources are from, which may be no commit of this repository, and what this very run built.

    Its hash is an output of its own, which other jobs cannot change.
    """
    monkeypatch.setenv("STAGING_REGISTRY_PASSWORD", "x")
    monkeypatch.setattr(command, "build_images", lambda settings, password, show: DONE)
    monkeypatch.setattr(command, "build_tag", lambda settings: "v7")
    monkeypatch.setattr(command, "build_commit", lambda settings: "")
    monkeypatch.setattr(command, "ImageTags", FakeTags)
    path, outputs = tmp_path / "build.json", tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    done = call("build", "--stack", "staging", "--save", str(path), "--json")
    assert json.loads(done.stdout) == {"image_tag": "v7", "commit": "", "images": IMAGES, "built": ["acp-agents"]}
    assert read_build_file(path).commit == ""
    assert read_build_file(path).built == ("acp-agents",)
    given = hashlib.sha256(path.read_bytes()).hexdigest()
    assert outputs.read_text(encoding="utf-8").splitlines() == [f"build_hash={given}", "image_tag=v7"]
    assert read_build_file(path, expected_hash=given).image_tag == "v7"
