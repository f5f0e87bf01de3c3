"""`acp-release install-keys`: a job's key files, from its environment."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.unit.cli.invoke import call

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_missing_keys_are_named_at_once() -> None:
    """All three variables are named, and nothing is written."""
    done = call("install-keys", "--stack", "staging")
    assert done.exit_code == 11
    for name in ("SETUP", "DEPLOY", "RELEASE"):
        assert f"STAGING_{name}_SSH_KEY is not set" in done.output


def test_a_key_that_is_asked_for_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--key deploy` the job needs that variable alone, and has no other file afterwards."""
    made = tmp_path / "made"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made)], check=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STAGING_DEPLOY_SSH_KEY", made.read_text(encoding="utf-8"))
    done = call("install-keys", "--stack", "staging", "--key", "deploy")
    assert done.exit_code == 0, done.output
    found = {path.name for path in (tmp_path / ".ssh").iterdir()}
    assert found == {"acp_staging_deploy", "acp_staging_deploy.pub"}
    assert call("install-keys", "--stack", "staging", "--key", "setup").exit_code == 11
