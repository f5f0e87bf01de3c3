from __future__ import annotations

import base64
import json
import os
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.hostctl.compose import Compose, on_trial, up_argv, up_error, up_seconds
from infra.hostctl.docker_socket import DockerError, DockerSocket
from infra.hostctl.engine import Engine
from infra.hostctl.errors import HostctlError
from infra.hostctl.fields import Fields
from infra.hostctl.images import RegistryLogin, check_architecture, ensure_images, pull_error
from infra.hostctl.redact import MASK, Redactor
from infra.hostctl.runner import Finished, Runner
from infra.hostctl.spec import read_spec
from infra.hostctl.streams import demultiplex
from tests.unit.hostctl.fakes import FakeEngine
from tests.unit.hostctl.release_spec import IMAGE, SECRET, readiness, spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Docker:
    """A Docker socket that answers from a table and remembers what was asked."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, Any, Mapping[str, str]]] = []
        docker = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                docker.asked.append((f"{self.command} {self.path}", body, dict(self.headers)))
                key = f"{self.command} {self.path.partition('?')[0]}"
                status, content = docker.answers.get(key, (404, b'{"message": "no such thing"}'))
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - names of the base class

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
                """Say nothing."""

            def address_string(self) -> str:
                return "unix"

        self.server = ThreadingUnixStreamServer(str(path), Handler)
        self.server.daemon_threads = True


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[Docker]:
    """Serve a Docker socket."""
    fake = Docker(tmp_path / "docker.sock")
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()
    thread.join()


@pytest.fixture
def engine(docker: Docker, tmp_path: Path) -> Engine:
    """Return an engine that talks to the served socket."""
    return Engine(DockerSocket(str(tmp_path / "docker.sock")))


def test_a_pull_carries_the_login_in_a_header_and_nowhere_else(docker: Docker, engine: Engine) -> None:
    """The password is in X-Registry-Auth only, never in the request line."""
    docker.answers["POST /images/create"] = (200, b'{"status": "Pulling"}\n{"status": "done"}\n')
    said: list[str] = []
    login = RegistryLogin("registry.test", "acp", "pa55word")
    engine.pull(IMAGE, auth_header=login.header(), on_message=said.append, timeout_seconds=5)
    line, _, headers = docker.asked[0]
    assert "sha256%3A" in line
    assert "pa55word" not in line
    sent = json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"]))
    assert sent == {"username": "acp", "password": "pa55word", "serveraddress": "registry.test"}
    assert said == ["Pulling", "done"]
    assert "pa55word" not in repr(login)


def test_an_error_inside_a_pull_is_an_error(docker: Docker, engine: Engine) -> None:
    """Docker answers 200 and tells the failure in the stream."""
    docker.answers["POST /images/create"] = (200, b'{"status": "Pulling"}\n{"error": "manifest unknown"}\n')
    with pytest.raises(DockerError, match="manifest unknown"):
        engine.pull(IMAGE, auth_header=None, on_message=lambda _: None, timeout_seconds=5)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("unauthorized: authentication required", "image_pull_denied"),
        ("denied: requested access to the resource is denied", "image_pull_denied"),
        ("manifest for x not found: manifest unknown: manifest unknown", "image_not_found"),
        ('Get "https://r/v2/": dial tcp 10.0.0.1:5000: connect: connection refused', "registry_unreachable"),
        ("x509: certificate signed by unknown authority", "registry_unreachable"),
        ("write /var/lib/docker/tmp/x: no space left on device", "disk_full"),
        ("no matching manifest for linux/amd64 in the manifest list entries", "wrong_architecture"),
        ("something else", "docker_error"),
    ],
)
def test_a_failed_pull_has_the_code_of_its_cause(message: str, code: str) -> None:
    """Docker's words become one of the documented codes."""
    error = pull_error(IMAGE, message)
    assert error.code == code
    assert IMAGE in error.message


def test_images_are_pulled_once_and_with_the_login_of_their_registry() -> None:
    """An image on the host is not pulled; another registry never sees the login."""
    engine = FakeEngine()
    other = "elsewhere.test/x@sha256:" + "c" * 64
    own = "registry.test/y@sha256:" + "d" * 64
    login = RegistryLogin("registry.test", "acp", "pa55word")
    assert ensure_images(cast("Engine", engine), (IMAGE, other, own), login, lambda _: None) == 2
    assert engine.pulls == [(other, None), (own, login.header())]


def test_an_image_for_another_machine_is_refused() -> None:
    """The architecture is compared in Docker's own words."""
    check_architecture("x", {"Architecture": "arm64"}, "aarch64")
    with pytest.raises(HostctlError, match="is for arm64, this host is amd64"):
        check_architecture("x", {"Architecture": "arm64"}, "x86_64")


def test_a_container_is_read_from_its_inspection(docker: Docker, engine: Engine) -> None:
    """State, health, end and addresses come from Docker; an absent container is none."""
    docker.answers["GET /containers/x/json"] = (200, json.dumps(INSPECTION).encode())
    found = engine.container("x")
    assert found is not None
    assert (found.name, found.state, found.health, found.exit_code, found.is_oom_killed) == (
        "x",
        "exited",
        "starting",
        137,
        True,
    )
    assert found.address_on("front") == "10.0.0.2"
    assert (found.project, found.cpu_shares) == ("acp-v1", 512)
    assert not found.is_running
    assert engine.container("y") is None


def test_what_is_gone_already_is_no_error(docker: Docker, engine: Engine) -> None:
    """Stopping, killing, removing and releasing what does not exist changes nothing."""
    engine.stop("x", timeout_seconds=1)
    engine.remove("x")
    engine.set_restart_policy("x", "no")
    engine.set_cpu_shares("x", 2048)
    assert not engine.remove_image("x")
    assert not engine.network_exists("x")
    assert engine.image("x") is None
    with pytest.raises(DockerError, match="no such thing"):
        engine.start("x")


def test_what_a_repair_asks_of_docker(docker: Docker, engine: Engine) -> None:
    """Going on after a pause, another name, and a network under the names that others use."""
    for path in ("/containers/x/unpause", "/containers/x/rename", "/networks/front/connect"):
        docker.answers[f"POST {path}"] = (204, b"")
    engine.unpause("x")
    engine.rename("x", "y")
    engine.connect("x", "front", ["ingest", "x"])
    assert [(request, body) for request, body, _ in docker.asked] == [
        ("POST /containers/x/unpause", None),
        ("POST /containers/x/rename?name=y", None),
        ("POST /networks/front/connect", {"Container": "x", "EndpointConfig": {"Aliases": ["ingest", "x"]}}),
    ]


def test_an_engine_that_is_down_is_said_so(tmp_path: Path) -> None:
    """Nobody at the socket is `docker_unavailable`."""
    with pytest.raises(HostctlError) as caught:
        Engine(DockerSocket(str(tmp_path / "none.sock"))).version()
    assert caught.value.code == "docker_unavailable"


def test_a_framed_log_is_put_together() -> None:
    """Docker frames stdout and stderr; a terminal's stream has no frames."""
    framed = struct.pack(">BxxxL", 1, 3) + b"out" + struct.pack(">BxxxL", 2, 3) + b"err"
    assert demultiplex(framed) == b"outerr"
    assert demultiplex(b"plain text of a terminal") == b"plain text of a terminal"
    assert demultiplex(b"") == b""


def test_compose_gets_its_file_on_stdin_and_pulls_nothing() -> None:
    """The exact command line; no secret and no path of a file that could hold one."""
    assert up_argv("acp-v1", Path("/acp/compose"), ["ingest"], ["--no-deps"]) == [
        "docker", "compose", "--project-name", "acp-v1", "--project-directory", "/acp/compose",
        "--env-file", "/dev/null", "--file", "-", "up", "--detach", "--no-build", "--pull", "never",
        "--quiet-pull", "--no-deps", "ingest",
    ]  # fmt: skip


@pytest.mark.parametrize(("timeout", "seconds"), [(10, 180), (149, 180), (600, 630)])
def test_compose_has_more_time_than_any_container_has_to_be_ready(timeout: float, seconds: float) -> None:
    """What depends on a healthy service is started only then; three minutes are the least."""
    value = spec("v1")
    value["services"][1]["readiness"] = readiness(timeout_seconds=timeout)
    assert up_seconds(read_spec(Fields(value))) == seconds


class FakeRunner:
    """Remembers a command and ends as it is told."""

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        self.argv: Sequence[str] = ()
        self.stdin = ""
        self.environment: Mapping[str, str] = {}

    def run(self, argv: Sequence[str], **options: Any) -> Finished:
        """End as told."""
        self.argv, self.stdin, self.environment = argv, options["stdin"], options["environment"]
        return self.finished


def test_secrets_reach_compose_as_environment_only(tmp_path: Path) -> None:
    """Neither the command line nor the document has a secret value."""
    runner = FakeRunner(Finished(0, "", ""))
    compose = Compose(cast("Runner", runner), tmp_path, Redactor())
    compose.up("acp-v1", spec("v1")["compose"], secrets={"DATABASE_URL": SECRET})
    assert runner.environment == {"DATABASE_URL": SECRET}
    assert SECRET not in runner.stdin
    assert SECRET not in " ".join(runner.argv)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_compose_run_is_told_without_secrets(tmp_path: Path) -> None:
    """Compose's words are quoted with secret values masked."""
    runner = FakeRunner(Finished(1, "", f"Error response: bad value {SECRET}\n"))
    with pytest.raises(HostctlError) as caught:
        Compose(cast("Runner", runner), tmp_path, Redactor([SECRET])).up("acp-v1", {"services": {}})
    assert caught.value.code == "compose_failed"
    assert SECRET not in json.dumps(caught.value.to_event())
    assert MASK in caught.value.message


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ("Bind for 0.0.0.0:80 failed: port is already allocated", "port_taken"),
        ("listen tcp4 0.0.0.0:80: bind: address already in use", "port_taken"),
        ("network acp-local-front declared as external, but could not be found", "network_missing"),
        ("write /x: no space left on device", "disk_full"),
        ("", "compose_failed"),
    ],
)
def test_a_failed_compose_run_has_the_code_of_its_cause(errors: str, code: str) -> None:
    """Compose's words become one of the documented codes."""
    assert up_error("acp-v1", errors).code == code


def test_a_candidate_is_not_started_again_by_docker() -> None:
    """During its trial no container restarts by itself; the given document stays as it is."""
    document = spec("v1")["compose"]
    assert {body["restart"] for body in on_trial(document)["services"].values()} == {"no"}
    assert {body["restart"] for body in document["services"].values()} == {"unless-stopped"}


def test_a_restart_policy_of_deploy_does_not_count_during_a_trial() -> None:
    """Compose takes it instead of `restart`; the limits beside it stay."""
    document = spec("v1")["compose"]
    document["services"]["ingest"]["deploy"] = {"restart_policy": {"condition": "any"}, "resources": {"limits": {}}}
    assert on_trial(document)["services"]["ingest"]["deploy"] == {"resources": {"limits": {}}}
    assert "restart_policy" in document["services"]["ingest"]["deploy"]


def test_the_projects_that_run_are_one_question(docker: Docker, engine: Engine) -> None:
    """No container is looked at by itself: every start asks this."""
    label = "com.docker.compose.project"
    rows = [
        {"Id": "1", "Labels": {label: "acp-v1"}},
        {"Id": "2", "Labels": {label: "other"}},
        {"Id": "3", "Labels": {}},
    ]
    docker.answers["GET /containers/json"] = (200, json.dumps(rows).encode())
    assert engine.running_projects("acp-") == {"acp-v1"}
    ((line, _, _),) = docker.asked
    assert "running" in line
    assert "all=" not in line


def test_secret_values_are_masked_longest_first() -> None:
    """No part of a longer secret is left where a shorter one is inside it; very short ones are ordinary text."""
    redactor = Redactor(["abcd", "abcdef", "no"])
    assert redactor.text("x abcdef y abcd no") == f"x {MASK} y {MASK} no"
    assert redactor.value({"logs": ["abcd", 1, None]}) == {"logs": [MASK, 1, None]}


def test_a_command_that_hangs_is_killed_with_its_children() -> None:
    """A time limit ends the whole process group."""
    script = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    with pytest.raises(HostctlError, match="did not end within"):
        Runner().run([sys.executable, "-c", script], timeout_seconds=0.5)


def test_a_command_sees_only_a_minimal_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's environment has besides does not reach the command."""
    monkeypatch.setenv("STRAY", "x")
    script = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    done = Runner().run([sys.executable, "-c", script], environment={"GIVEN": "1"}, timeout_seconds=20)
    assert "GIVEN" in done.output
    assert "STRAY" not in done.output
    assert "PATH" in done.output
    assert os.environ["STRAY"] == "x"


def test_a_missing_program_is_said_by_name() -> None:
    """A host without Docker's client is told so."""
    with pytest.raises(HostctlError, match="no-such-program cannot be run"):
        Runner().run(["no-such-program"], timeout_seconds=1)


INSPECTION = {
    "Id": "1", "Name": "/x", "RestartCount": 2,
    "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True, "Health": {"Status": "starting"}},
    "Config": {"Image": IMAGE, "Labels": {"com.docker.compose.project": "acp-v1"}, "Env": ["A=b"]},
    "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}, "CpuShares": 512},
    "NetworkSettings": {"Networks": {"front": {"IPAddress": "10.0.0.2"}, "data": {"IPAddress": ""}}},
}  # fmt: skip
