from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.pulumi_preview import UNKNOWN, read_preview, run_preview, stack_head
from infra.errors import ToolError
from tests.support.fake_programs import install_fake

if TYPE_CHECKING:
    from pathlib import Path

URN = "urn:pulumi:production::analyst-copilot::"
PINNED = f"r.test/acp/acp-ingest@sha256:{'a' * 64}"


def step(kind: str, name: str, operation: str = "same", inputs: Any = None, reasons: Any = None) -> dict[str, Any]:
    """Return a step as the engine has it."""
    return {"op": operation, "urn": f"{URN}{kind}::{name}", "newState": {"inputs": inputs}, "diffReasons": reasons}


SCAN = step("acp:gate:Gate$pulumi-python:dynamic/acp:Scan", "gate-i", inputs={"name": "acp-ingest", "image": PINNED})
PREFLIGHT = step(
    "pulumi-python:dynamic/acp:Preflight", "preflight", "replace", {"release": "v2-b"}, ["run_id", "release"]
)
DOCUMENT = {
    "steps": [SCAN, PREFLIGHT, step("acp:x:Y$command:remote:Command", "h1-start", "update", None, ["stdin"])],
    "diagnostics": [
        {"severity": "info", "message": "acp-ingest v1 → v2\n"},
        {"severity": "warning", "message": "something else"},
    ],
}


def test_a_preview_has_what_an_approval_is_about() -> None:
    """Release, digests, the change in words and the operations are read; what stays the same is left out."""
    preview = read_preview(DOCUMENT)
    assert preview.release == "v2-b"
    assert preview.images == {"acp-ingest": PINNED}
    assert preview.changes == ("acp-ingest v1 → v2",)
    assert preview.steps == (
        "replace pulumi-python:dynamic/acp:Preflight preflight (release, run_id)",
        "update command:remote:Command h1-start (stdin)",
    )


def test_what_only_the_update_will_know_is_left_out() -> None:
    """Before a build neither release nor digest is known, and nothing is made up for them."""
    scan = step(
        "acp:gate:Gate$pulumi-python:dynamic/acp:Scan", "gate-i", inputs={"name": "acp-ingest", "image": UNKNOWN}
    )
    preflight = step("pulumi-python:dynamic/acp:Preflight", "preflight", "create", {"release": UNKNOWN})
    preview = read_preview({"steps": [scan, preflight], "diagnostics": []})
    assert (preview.release, preview.images) == ("", {})


def test_a_failed_preview_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of the program is shown, also when the engine ended well."""
    pulumi = install_fake("pulumi", tmp_path, monkeypatch)
    pulumi.answers([json.dumps({"steps": [], "diagnostics": [{"severity": "error", "message": "v9 is not there"}]})])
    with pytest.raises(ToolError, match="v9 is not there"):
        run_preview("production", os.environ)
    pulumi.answers(["no JSON"], stderr="error: no stack named 'production'", status=1)
    with pytest.raises(ToolError, match="no stack named"):
        run_preview("production", os.environ)


def test_a_preview_without_steps_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer in another form is an error, never an empty plan."""
    install_fake("pulumi", tmp_path, monkeypatch).answers(["{}"])
    with pytest.raises(ToolError, match="failed"):
        run_preview("production", os.environ)


def test_the_head_of_a_stack_is_its_record_and_its_last_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed update after the approval moves the head as well, though it leaves the record."""
    pulumi = install_fake("pulumi", tmp_path, monkeypatch)
    pulumi.answers(["[]"])
    monkeypatch.setattr(
        "infra.adapters.pulumi_preview.stack_outputs",
        lambda stack: {"release": "v1-a", "release_entry": {"run_id": "ci-6-1"}},
    )
    assert stack_head("production") == {"release": "v1-a", "run": "ci-6-1", "last update": ""}
    pulumi.answers([json.dumps([{"kind": "update", "startTime": "then", "result": "failed", "version": 0}])])
    assert stack_head("production")["last update"] == "update then failed"
