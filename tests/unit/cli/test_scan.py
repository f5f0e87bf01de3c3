from __future__ import annotations

import json
from typing import Any

import pytest

from infra.cli import scan as scan_module
from infra.errors import GateError
from tests.support.settings import make_settings
from tests.unit.cli.invoke import call


@pytest.fixture(autouse=True)
def _images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a release have one image that passes and one that is blocked."""

    def scan_image(request: Any, _say: object) -> dict[str, Any]:
        if request.name == "bad":
            raise GateError("bad: 1 critical")
        return {"name": request.name}

    monkeypatch.setattr(scan_module, "load_wanted", lambda _stack: make_settings())
    monkeypatch.setattr(scan_module, "read_secrets", lambda *_, **__: {"REGISTRY_PASSWORD": ""})
    monkeypatch.setattr(scan_module, "_images", lambda *_: {"good": "r@sha256:1", "bad": "r@sha256:2"})
    monkeypatch.setattr(scan_module, "scan_image", scan_image)
    monkeypatch.setattr(scan_module, "summary", lambda report: f"{report['name']} passed")
    monkeypatch.setattr(scan_module, "add_summary", lambda _text: None)


def test_a_blocked_image_leaves_one_document() -> None:
    """The error, with the reports of the images that passed."""
    done = call("scan", "--stack", "local", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["error"], document["exit_code"]) == (40, "GateError", 40)
    assert "bad: 1 critical" in document["what"]
    assert document["reports"] == [{"name": "good"}]


def test_people_see_what_passed_and_what_did_not() -> None:
    """The summaries on standard output, the error on standard error."""
    done = call("scan", "--stack", "local")
    assert (done.exit_code, done.stdout) == (40, "good passed\n")
    assert "bad: 1 critical" in done.stderr
