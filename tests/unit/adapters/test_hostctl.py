from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.hostctl import ERRORS_BY_CODE, HostctlClient
from infra.errors import (
    CandidateError,
    GateError,
    HostError,
    HostKeyError,
    HostUnreachableError,
    ImageMissingError,
    LeaseHeldError,
    RegistryError,
    ReleaseError,
)
from infra.hostctl.errors import CATALOGUE
from infra.settings.model import Host
from tests.support.fake_programs import FakeProgram, install_fake
from tests.support.settings import HOST_KEY

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-correct-horse"
HOST = Host(name="h1", address="h1.test", port=2222, host_key=HOST_KEY)
CLIENT = HostctlClient(host=HOST, key_file="/keys/deploy", secrets=(SECRET,))
RESULT = json.dumps({"event": "result", "command": "status", "serving": "v1-0"})


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    """Return a fake `ssh`, first on PATH."""
    return install_fake("ssh", tmp_path, monkeypatch)


def call(**request: Any) -> dict[str, Any]:
    """Call `status` with a short deadline."""
    return CLIENT.call("status", timeout_seconds=20, **request)


def failure(**request: Any) -> ReleaseError:
    """Return the error that `status` raises."""
    with pytest.raises(ReleaseError) as caught:
        call(**request)
    return caught.value


def error_line(code: str, **details: Any) -> str:
    """Return hostctl's error line."""
    return json.dumps(
        {"event": "error", "code": code, "message": f"what {code} means", "mend": "do this", "details": details}
    )


def test_a_request_goes_in_on_stdin_and_never_in_argv(ssh: FakeProgram) -> None:
    """One JSON object on standard input; the command line shows the command's name and label only."""
    ssh.answers([RESULT])
    CLIENT.call("start", timeout_seconds=20, label="v1-0", secrets={"SECRET_KEY": SECRET})
    (made,) = ssh.calls
    assert json.loads(made["stdin"]) == {"command": "start", "secrets": {"SECRET_KEY": SECRET}}
    assert made["argv"][-2:] == ["deploy@h1.test", "hostctl start v1-0"]
    assert SECRET not in " ".join(made["argv"])
    assert f"KnownHostsCommand=/bin/echo %H {HOST_KEY}" in made["argv"]


def test_a_result_is_returned(ssh: FakeProgram) -> None:
    """The result line is what the call returns."""
    ssh.answers([RESULT])
    assert call()["serving"] == "v1-0"


def test_banners_and_odd_lines_are_ignored(ssh: FakeProgram) -> None:
    """What is not hostctl's JSON is not an answer and breaks nothing."""
    ssh.answers(["Welcome to h1!", "", "[1, 2]", "null", "{half", '{"event": "other"}', RESULT], stderr="motd\n")
    assert call()["serving"] == "v1-0"


def test_progress_is_shown_without_secrets(ssh: FakeProgram) -> None:
    """Each progress line reaches the caller with phase and redacted message."""
    progress = {"event": "progress", "phase": "pull", "message": f"logging in with {SECRET}"}
    ssh.answers([json.dumps(progress), RESULT])
    seen: list[tuple[str, str]] = []
    call(on_progress=lambda phase, message: seen.append((phase, message)))
    assert seen == [("pull", "logging in with [redacted]")]


EXPECTED = {
    "lease_held": LeaseHeldError,
    "lease_lost": LeaseHeldError,
    "candidate_not_ready": CandidateError,
    "crash_loop": CandidateError,
    "out_of_memory": CandidateError,
    "image_not_found": ImageMissingError,
    "image_pull_denied": RegistryError,
    "registry_unreachable": RegistryError,
    "not_cleared": GateError,
}


@pytest.mark.parametrize("code", [kind.code for kind in CATALOGUE])
def test_every_error_code_is_an_error_of_this_program(code: str) -> None:
    """Each code of hostctl's catalogue has its class, with message, place and mend."""
    error = CLIENT.error_of(json.loads(error_line(code)))
    assert type(error) is EXPECTED.get(code, HostError)
    assert error.what == f"h1: what {code} means"
    assert error.where == "host h1 (deploy@h1.test:2222)"
    assert error.mend == "do this"


def test_no_mapped_code_is_unknown_to_hostctl() -> None:
    """The mapping names no code that hostctl does not have."""
    assert set(ERRORS_BY_CODE) <= {kind.code for kind in CATALOGUE}


def test_an_error_line_is_raised_whatever_the_exit_status(ssh: FakeProgram) -> None:
    """Hostctl's own words count, not the status that SSH passes on."""
    ssh.answers([error_line("lease_held")], status=17)
    error = failure()
    assert isinstance(error, LeaseHeldError)
    assert error.exit_code == 23


def test_the_last_log_lines_are_in_the_error_without_secrets(ssh: FakeProgram) -> None:
    """Ten lines at most, redacted, below the message."""
    logs = [f"line {n}" for n in range(12)] + [f"cannot log in with {SECRET}"]
    ssh.answers([error_line("crash_loop", logs=logs)], status=34)
    what = failure().what
    assert SECRET not in what
    assert what.endswith("    cannot log in with [redacted]")
    assert "line 2\n" not in what
    assert "line 3\n" in what


@pytest.mark.parametrize(
    ("stderr", "status", "kind", "words"),
    [
        ("Host key verification failed.\n", 255, HostKeyError, "showed another host key"),
        ("No ED25519 host key is known\nHost key verification failed.\n", 255, HostKeyError, "showed another host key"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n", 255, HostKeyError, "showed another host key"),
        ("Unable to negotiate: no matching host key type found.\n", 255, HostKeyError, "showed another host key"),
        ("deploy@h1.test: Permission denied (publickey).\n", 255, HostError, "refused the deploy key"),
        ("connect to host h1.test port 2222: Connection refused\n", 255, HostUnreachableError, "Connection refused"),
        ("", 255, HostUnreachableError, "connection lost"),
        ("", -9, HostUnreachableError, "the SSH client was ended by signal 9"),
        ("Traceback: boom\n", 1, HostError, "ended with status 1 and no answer: Traceback: boom"),
        ("", 0, HostError, "ended with status 0 and no answer"),
    ],
)
def test_no_answer_is_said_in_words(
    ssh: FakeProgram, stderr: str, status: int, kind: type[HostError], words: str
) -> None:
    """Another host key, a refused key, no connection and a dead hostctl are told apart, with a mend each."""
    ssh.answers(["some banner"], stderr=stderr, status=status)
    error = failure()
    assert type(error) is kind
    assert words in error.what
    assert error.mend


def test_what_ssh_says_is_redacted(ssh: FakeProgram) -> None:
    """A secret in the standard error of a failed call is not shown."""
    ssh.answers(stderr=f"bad request: {SECRET}\n", status=11)
    assert SECRET not in str(failure())


def test_a_host_that_does_not_answer_in_time_is_unreachable(ssh: FakeProgram) -> None:
    """A call that hangs ends at its deadline, as an unreachable host."""
    ssh.answers(hang=True)
    with pytest.raises(HostUnreachableError, match=r"h1: hostctl status: ssh did not finish in 0\.5 s"):
        CLIENT.call("status", timeout_seconds=0.5)


def test_a_missing_ssh_is_not_blamed_on_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an SSH client the mend is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert failure().mend == "run `acp-release doctor`"


def test_a_representation_never_shows_secrets() -> None:
    """The client knows secrets to redact them; showing the client shows none."""
    assert SECRET not in repr(CLIENT)
