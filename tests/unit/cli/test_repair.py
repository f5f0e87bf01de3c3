from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from infra.cli import repair as repair_module
from infra.cli import status as status_module
from infra.cli.main import main
from infra.domain.release import fingerprint
from infra.errors import LeaseHeldError, ToolError
from tests.support.fake_hostctl import SECRETS, Stage, make_stage

KEY = "f" * 64
RELEASE = "v2-0"
SOUND = {
    "serving": RELEASE, "candidate": None, "previous": None, "parked": [], "phase": "idle", "weight": 0, "lease": None,
    "last_trial": None, "releases": {}, "drift": [],
}  # fmt: skip
STOPPED = {"what": "a container is stopped", "mend": "`acp-release status --repair --stack local`"}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return two hosts that answer a repair; the record has the secrets of the environment."""
    stage = make_stage()
    stage.answer("status", SOUND)
    stage.answer("repair", {"serving": RELEASE, "found": [STOPPED], "left": []})
    prints = {name: fingerprint(KEY, name, value) for name, value in SECRETS.items()}
    outputs = {"release": RELEASE, "release_entry": {"release": RELEASE, "fingerprints": prints}}
    for module in (repair_module, status_module):
        monkeypatch.setattr(module, "host_clients", lambda _settings: stage.context.group.clients)
    monkeypatch.setattr(status_module, "load", lambda _stack: stage.context.settings)
    monkeypatch.setattr(status_module, "stack_outputs", lambda _stack: outputs)
    monkeypatch.setattr(repair_module, "secret_output", lambda _stack, _name: KEY)
    for name, value in {**SECRETS, "REGISTRY_PASSWORD": "s3cr3t-registry"}.items():
        monkeypatch.setenv(f"LOCAL_{name}", value)
    return stage


def repair(*, code: int = 0) -> tuple[dict[str, Any], str]:
    """Run `acp-release status --repair --json`; return its document and what it said meanwhile."""
    result = CliRunner().invoke(main, ["status", "--stack", "local", "--repair", "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout), result.stderr


def test_every_host_is_repaired_before_the_status_is_read(stage: Stage) -> None:
    """The result has what each host found, and the status after it; hosts are repaired with the release's secrets."""
    document, _ = repair()
    assert [(done["host"], done["found"], done["left"]) for done in document["repairs"]] == [
        ("h1", [STOPPED], []),
        ("h2", [STOPPED], []),
    ]
    assert document["differences"] == []
    assert stage.journal.commands("h1") == ["repair", "status"]
    (call, _) = stage.journal.of("repair")
    assert call.request["secrets"] == SECRETS
    assert call.request["registry"]["password"] == "s3cr3t-registry"


def test_secrets_that_changed_since_the_release_are_not_sent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost container made with another secret would be no repair: its name is said, its value is not."""
    monkeypatch.setenv("LOCAL_SECRET_KEY", "rotated-since")
    _, said = repair()
    assert [call.request["secrets"] for call in stage.journal.of("repair")] == [{}, {}]
    assert "SECRET_KEY changed since the release" in said
    assert "rotated-since" not in said


def test_without_secrets_the_rest_is_repaired(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator without the secrets can still start what was stopped; the missing names are said."""
    monkeypatch.delenv("LOCAL_SECRET_KEY")
    document, said = repair()
    assert [call.request["secrets"] for call in stage.journal.of("repair")] == [{}, {}]
    assert "lost containers stay lost" in said
    assert [done["error"] for done in document["repairs"]] == [None, None]


def test_secrets_that_cannot_be_compared_are_not_called_changed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the passphrase the rest is repaired; what to export is said."""

    def fail(_stack: str, _name: str) -> str:
        raise ToolError("pulumi cannot read it", mend="export PULUMI_CONFIG_PASSPHRASE")

    monkeypatch.setattr(repair_module, "secret_output", fail)
    document, said = repair()
    assert [call.request["secrets"] for call in stage.journal.of("repair")] == [{}, {}]
    assert "cannot be compared" in said
    assert "export PULUMI_CONFIG_PASSPHRASE" in said
    assert "changed" not in said
    assert [done["error"] for done in document["repairs"]] == [None, None]


def test_a_host_that_refuses_does_not_stop_the_others(stage: Stage) -> None:
    """A lease that somebody holds is said; what still differs decides the exit code."""
    stage.answer("repair", LeaseHeldError("ci-1 holds this host", mend="wait"), host="h1")
    stage.answer("status", {**SOUND, "drift": [STOPPED]}, host="h1")
    document, said = repair(code=20)
    assert [done["error"] for done in document["repairs"]] == ["ci-1 holds this host", None]
    assert "h1: not repaired: ci-1 holds this host" in said
    assert [difference["host"] for difference in document["differences"]] == ["h1"]
