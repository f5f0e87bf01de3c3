"""`sign` as it is typed: for which images a run may vouch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.checks.clearance import Vouched
from infra.cli import sign
from tests.support.settings import make_settings
from tests.unit.cli.invoke import call

if TYPE_CHECKING:
    from pathlib import Path


def test_keyless_signatures_are_only_of_what_ci_built(tmp_path: Path) -> None:
    """Only who signs with a key may vouch for images that were built elsewhere."""
    path = tmp_path / "build.json"
    images = {"acp-ingest": f"r.test/acp/acp-ingest@sha256:{'a' * 64}"}
    path.write_text(json.dumps({"image_tag": "v1", "commit": "c", "images": images}), encoding="utf-8")
    done = call("sign", "--stack", "staging", "--images", str(path), "--built-elsewhere")
    assert done.exit_code == 2
    assert "set `gate.signing.image_key_file`" in done.output


@pytest.mark.parametrize(
    ("options", "built"), [((), ["acp-agents"]), (("--built-elsewhere",), ["acp-ingest", "acp-agents"])]
)
def test_only_what_the_run_built_is_signed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], built: list[str]
) -> None:
    """The build file says what the run built; a person with a key may vouch for the rest."""
    keys = {"release_key_file": "r", "image_key_file": "k", "image_public_key_file": "k.pub"}
    asked: list[str] = []
    monkeypatch.setattr(sign, "load", lambda _stack: make_settings(gate={"signing": keys}))
    monkeypatch.setattr(sign, "recorded_verdict", lambda _request: {"passed": True})
    monkeypatch.setattr(sign, "sign_images", lambda *_, built, commit: asked.extend(built))
    monkeypatch.setattr(sign, "vouched", lambda *_: Vouched(problems=[], attached={}))
    monkeypatch.setenv("LOCAL_REGISTRY_PASSWORD", "x")
    monkeypatch.setenv("LOCAL_COSIGN_PASSWORD", "x")
    images = {name: f"r.test/acp/{name}@sha256:{'a' * 64}" for name in ("acp-ingest", "acp-agents")}
    document = {"image_tag": "v1", "commit": "c", "images": images, "built": ["acp-agents"]}
    path = tmp_path / "build.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert call("sign", "--stack", "local", "--images", str(path), *options).exit_code == 0
    assert asked == built


@pytest.mark.parametrize("given", ["", "0" * 64], ids=["lost", "of another file"])
def test_a_file_that_the_build_did_not_write_is_not_signed(tmp_path: Path, given: str) -> None:
    """A job between the two that put a file of its own in its place gets nothing signed, not even looked at."""
    path = tmp_path / "build.json"
    path.write_text("{}", encoding="utf-8")
    done = call("sign", "--stack", "staging", "--images", str(path), "--hash", given)
    assert done.exit_code == 40
    assert "is not what the build wrote" in done.output
    assert f"that of the build {given or 'missing'}" in done.output
