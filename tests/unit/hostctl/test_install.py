from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.hostctl.authorized_keys import bind_keys, bound_line, rebind
from infra.hostctl.build import ENTRY, build_zipapp
from infra.hostctl.errors import KINDS, HostctlError
from infra.hostctl.protocol import LARGEST_REQUEST_BYTES, Answer, read_request
from infra.hostctl.redact import Redactor

KEY = "ssh-ed25519 AAAAdeploy deploy@ci"
OTHER = "ssh-ed25519 AAAAoperator op@desk"
BINARY = Path("/home/deploy/acp/bin/hostctl")
OLDEST = "3.9"


def test_a_deploy_key_may_call_hostctl_and_reach_verification_ports_only() -> None:
    """The exact line."""
    assert bound_line(KEY, [18000, 18001], BINARY) == (
        'restrict,port-forwarding,permitopen="127.0.0.1:18000",permitopen="127.0.0.1:18001",'
        'command="/home/deploy/acp/bin/hostctl --deploy" ssh-ed25519 AAAAdeploy deploy@ci'
    )


def test_other_lines_stay_and_former_deploy_keys_go() -> None:
    """Binding again replaces the deploy keys and nothing else."""
    before = f"# operators\n{OTHER}\n{bound_line('ssh-ed25519 AAAAformer x', [], BINARY)}\n"
    after = rebind(before, [KEY], [], BINARY)
    assert after == f"# operators\n{OTHER}\n{bound_line(KEY, [], BINARY)}\n"
    assert rebind(after, [KEY], [], BINARY) == after


def test_a_key_that_logs_in_freely_is_not_bound() -> None:
    """Binding the operator's own key would lock them out, or leave it unbound beside the bound line."""
    with pytest.raises(HostctlError) as caught:
        rebind(f"{KEY}\n", [KEY], [], BINARY)
    assert caught.value.code == "key_conflict"


def test_the_file_is_made_private(tmp_path: Path) -> None:
    """Sshd refuses files that others may write."""
    path = tmp_path / ".ssh" / "authorized_keys"
    assert bind_keys(path, [KEY], [], BINARY)
    assert not bind_keys(path, [KEY], [], BINARY)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_build_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Version and bytes depend on the source alone; another source is another version."""
    first, second = build_zipapp(tmp_path / "a"), build_zipapp(tmp_path / "b")
    assert first.sha256 == second.sha256
    assert first.version == second.version
    other = build_zipapp(tmp_path / "c", extra={"more.py": "x = 1\n"})
    assert other.version != first.version


def test_the_zipapp_needs_nothing_of_the_runner(tmp_path: Path) -> None:
    """Nothing outside hostctl is imported, and the build module is not packed."""
    archive = zipfile.ZipFile(build_zipapp(tmp_path).path)
    assert "hostctl/build.py" not in archive.namelist()
    for name in archive.namelist():
        source = archive.read(name).decode()
        assert "import infra" not in source
        assert "from infra" not in source


def hostctl(
    path: Path, *arguments: str, stdin: str = "", home: Path | None = None, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Run a built hostctl as a host does."""
    environment = {**os.environ, "HOME": str(home or path.parent), "DOCKER_HOST": "unix:///nonexistent.sock"}
    return subprocess.run(
        [python, "-I", str(path), *arguments],
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
        env=environment,
    )


def test_installing_puts_the_program_in_its_place(tmp_path: Path) -> None:
    """Installed from anywhere it runs through the link, and installing again changes nothing."""
    built = build_zipapp(tmp_path / "download")
    home = tmp_path / "home"
    home.mkdir()
    request = json.dumps({"base_dir": str(home / "acp"), "deploy_keys": [KEY], "permit_ports": [18000]})
    first = json.loads(hostctl(built.path, "install", stdin=request, home=home).stdout)
    assert (first["version"], first["changed"], first["deploy_keys"]) == (built.version, True, 1)
    link = home / "acp" / "bin" / "hostctl"
    assert hostctl(link, "--version").stdout.strip() == built.version
    assert "hostctl --deploy" in (home / ".ssh" / "authorized_keys").read_text()
    assert list((link.resolve().parent / "lib" / "hostctl" / "__pycache__").glob("cli.*.pyc"))
    again = json.loads(hostctl(built.path, "install", stdin=request, home=home).stdout)
    assert not again["changed"]
    status = json.loads(hostctl(link, "--deploy", stdin='{"command": "journal"}', home=home).stdout)
    assert status["entries"][0]["step"] == "installed"


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        ("no json", "bad_request"),
        ("[]", "bad_request"),
        ('{"command": "nonsense"}', "bad_request"),
        ('{"command": "status", "secret": "s3cr3t-value"}', "bad_request"),
        ('{"command": "edge"}', "not_permitted"),
        ('{"command": "install"}', "not_permitted"),
        ('{"command": "uninstall"}', "not_permitted"),
        ('{"command": "hello"}', "docker_unavailable"),
    ],
)
def test_a_refused_request_is_one_error_line_with_its_exit_status(tmp_path: Path, request_text: str, code: str) -> None:
    """No traceback, nothing of the request's values, and the documented exit status."""
    done = hostctl(build_zipapp(tmp_path).path, "--deploy", stdin=request_text)
    answer = json.loads(done.stdout)
    assert (answer["event"], answer["code"]) == ("error", code)
    assert done.returncode == KINDS[code].exit_status
    assert done.stderr == ""
    assert "s3cr3t-value" not in done.stdout


def test_help_and_errors_are_shown(tmp_path: Path) -> None:
    """The few options answer without a request."""
    path = build_zipapp(tmp_path).path
    assert "example:" in hostctl(path, "--help").stdout
    assert "candidate_not_ready" in hostctl(path, "--errors").stdout


def test_a_session_answers_one_request_after_another(tmp_path: Path) -> None:
    """Each is told to be taken before its one answer; a refused one ends nothing, and no secret reaches the next."""
    path = build_zipapp(tmp_path).path
    requests = ['{"command": "nonsense", "secrets": {"A": "s3cr3t-value"}}', "no json", '{"command": "journal"}']
    done = hostctl(path, "--session", stdin="".join(f"{request}\n" for request in requests))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["taken", "error", "taken", "error", "taken", "result"]
    assert events[-1]["command"] == "journal"
    assert "s3cr3t-value" not in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_a_deploy_key_opens_a_session_with_its_own_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forced command takes the word from what the caller asked for, and set-up commands stay refused."""
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "hostctl --session")
    done = hostctl(build_zipapp(tmp_path).path, "--deploy", stdin='{"command": "uninstall"}\n')
    taken, answer = (json.loads(line) for line in done.stdout.splitlines())
    assert (taken["event"], answer["code"]) == ("taken", "not_permitted")


def test_a_connection_is_held_without_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits until its input ends, takes nothing for a request, and loads nothing that would take time."""
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "hostctl --hold")
    broken = ENTRY.replace("from hostctl.cli", "from hostctl.not_there")
    done = hostctl(build_zipapp(tmp_path, entry=broken).path, "--deploy", stdin='{"command": "journal"}\n')
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_session_ends_with_a_request_that_does_not(tmp_path: Path) -> None:
    """What was cut off, or is too long, is refused, and what comes after it is not taken for a request."""
    path = build_zipapp(tmp_path).path
    for text in ('{"command": "journal"', '"' + "x" * LARGEST_REQUEST_BYTES + '{"command": "journal"}\n'):
        events = [json.loads(line) for line in hostctl(path, "--session", stdin=text).stdout.splitlines()]
        assert [event.get("code") for event in events] == [None, "bad_request"]


def test_the_oldest_python_of_hosts_can_run_it(tmp_path: Path) -> None:
    """The zipapp runs on Python 3.9, where this machine has one."""
    found = next(Path.home().glob(f".pyenv/versions/{OLDEST}*/bin/python3"), None) or shutil.which(f"python{OLDEST}")
    if found is None:
        pytest.skip("no Python 3.9 here")
    done = hostctl(build_zipapp(tmp_path).path, stdin='{"command": "hello"}', python=str(found))
    assert json.loads(done.stdout)["code"] == "docker_unavailable"


def test_an_answer_goes_on_when_nobody_reads_it() -> None:
    """A lost SSH connection closes stdout; the work does not stop for it."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    answer = Answer(Redactor(), Closed())
    answer.progress("start", "one")
    answer.result("start", {"a": 1})


def test_an_answer_masks_secrets() -> None:
    """Whatever quotes a secret, the line does not show it."""
    out = io.StringIO()
    Answer(Redactor(["pa55word"]), out).result("x", {"logs": ["it is pa55word"]})
    assert "pa55word" not in out.getvalue()


def test_a_huge_request_is_refused() -> None:
    """Memory is not filled by a request."""

    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"x" * size

    with pytest.raises(HostctlError) as caught:
        read_request(endless := Endless())  # type: ignore[arg-type]
    assert caught.value.code == "bad_request"
    endless.close()
