from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from infra.adapters.pulumi_cli import NoStackError, secret_output, stack_names, stack_outputs, update_stack
from infra.errors import ToolError
from infra.paths import PROJECT_ROOT
from tests.support.fake_programs import FakeProgram, install_fake

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    """Return a fake `pulumi`, first on PATH."""
    return install_fake("pulumi", tmp_path, monkeypatch)


def test_outputs_of_a_stack_are_read(pulumi: FakeProgram) -> None:
    """The exact command line, and its JSON."""
    pulumi.answers([json.dumps({"release": "v1-0"})])
    assert stack_outputs("local") == {"release": "v1-0"}
    assert pulumi.calls[0]["argv"] == [
        "stack", "output", "--json", "--stack", "local", "--cwd", str(PROJECT_ROOT), "--non-interactive",
    ]  # fmt: skip


def test_a_stack_that_the_backend_does_not_have_is_an_error(
    pulumi: FakeProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that asks another backend does not say that nothing was released; no credentials are shown."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://ann:s3cr3t@pulumi.test/acme?token=s3cr3t")
    pulumi.answers(stderr="error: no stack named 'local' found\n", status=255)
    with pytest.raises(NoStackError) as caught:
        stack_outputs("local")
    assert caught.value.what == "the backend https://pulumi.test/acme has no stack local"
    assert "export PULUMI_BACKEND_URL" in caught.value.mend
    assert "`pulumi stack init --stack local`" in caught.value.mend


def test_a_stack_without_outputs_has_none(pulumi: FakeProgram) -> None:
    """An empty answer is no output."""
    pulumi.answers([])
    assert stack_outputs("local") == {}


def test_any_other_failure_is_an_error(pulumi: FakeProgram) -> None:
    """A wrong passphrase is not mistaken for a new stack."""
    pulumi.answers(stderr="error: incorrect passphrase\n", status=255)
    with pytest.raises(ToolError, match="pulumi cannot read stack local: error: incorrect passphrase"):
        stack_outputs("local")


def test_the_stacks_of_the_project_are_listed(pulumi: FakeProgram) -> None:
    """By their own names, without organization and project."""
    pulumi.answers([json.dumps([{"name": "local"}, {"name": "organization/analyst-copilot/staging"}])])
    assert stack_names() == ["local", "staging"]


def test_a_secret_output_is_asked_for_by_name(pulumi: FakeProgram) -> None:
    """The exact command line; the value comes on standard output only."""
    pulumi.answers(["s3cr3t"])
    assert secret_output("local", "fingerprint_key") == "s3cr3t"
    assert pulumi.calls[0]["argv"] == [
        "stack", "output", "fingerprint_key", "--show-secrets", "--stack", "local", "--cwd", str(PROJECT_ROOT),
        "--non-interactive",
    ]  # fmt: skip


def test_a_secret_output_that_is_not_there_is_empty(pulumi: FakeProgram) -> None:
    """A stack of before has no such output."""
    pulumi.answers(stderr="error: current stack does not have output property 'fingerprint_key'\n", status=255)
    assert secret_output("local", "fingerprint_key") == ""


def test_a_secret_output_that_cannot_be_read_is_an_error(pulumi: FakeProgram) -> None:
    """Without the passphrase it is not taken for one that is not there."""
    pulumi.answers(stderr="error: incorrect passphrase\n", status=255)
    with pytest.raises(ToolError, match="pulumi cannot read fingerprint_key of stack local") as caught:
        secret_output("local", "fingerprint_key")
    assert "export PULUMI_CONFIG_PASSPHRASE" in caught.value.mend


def test_an_update_is_run_and_told_why(pulumi: FakeProgram) -> None:
    """The exact command line, the environment that asks for something, and whether it went well."""
    pulumi.answers([])
    assert update_stack("local", env=os.environ, timeout_seconds=30, message="rollback to v1-0", to_stderr=True)
    assert pulumi.calls[0]["argv"] == [
        "up", "--stack", "local", "--yes", "--skip-preview", "--suppress-outputs", "--cwd", str(PROJECT_ROOT),
        "--message", "rollback to v1-0",
    ]  # fmt: skip
    pulumi.answers(status=255)
    assert not update_stack("local", env=os.environ, timeout_seconds=30)
    assert "--message" not in pulumi.calls[1]["argv"]
