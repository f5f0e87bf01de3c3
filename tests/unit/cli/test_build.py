"""`build` as it is typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.cli import build as command
from infra.settings.build_file import read_build_file
from tests.unit.cli.invoke import call

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

IMAGES = {"acp-ingest": f"r.test/acp/acp-ingest@sha256:{'a' * 64}"}


class FakeTags:
    """A registry that takes every tag."""

    def __init__(self, **login: str) -> None:
        """Take any login."""

    def add(self, pinned: str, tag: str) -> None:
        """Take a tag."""


def test_the_file_has_the_commit_of_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a signature vouches for is where the sources are from, which may be no commit of this repository."""
    monkeypatch.setenv("STAGING_REGISTRY_PASSWORD", "x")
    monkeypatch.setattr(command, "build_images", lambda settings, password, show: IMAGES)
    monkeypatch.setattr(command, "build_tag", lambda settings: "v7")
    monkeypatch.setattr(command, "build_commit", lambda settings: "")
    monkeypatch.setattr(command, "ImageTags", FakeTags)
    path = tmp_path / "build.json"
    done = call("build", "--stack", "staging", "--save", str(path), "--json")
    assert json.loads(done.stdout) == {"image_tag": "v7", "commit": "", "images": IMAGES}
    assert read_build_file(path).commit == ""
