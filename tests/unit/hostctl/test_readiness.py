from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from infra.hostctl import readiness
from infra.hostctl.engine import Container, parse_container
from infra.hostctl.errors import HostctlError
from infra.hostctl.fields import Fields
from infra.hostctl.readiness import Prober, judge, probe, seconds_since
from infra.hostctl.redact import Redactor
from infra.hostctl.resources import HostResources, check_disk, check_memory, parse_meminfo, require
from infra.hostctl.spec import Readiness, read_spec
from tests.unit.hostctl.fakes import FakeClock, FakeEngine
from tests.unit.hostctl.release_spec import IMAGE, spec

READY = Readiness(path="/r", field="status", equals="ready", passes=3, interval_seconds=0.5, timeout_seconds=5)


@pytest.mark.parametrize(
    ("status", "body", "good"),
    [
        (200, b'{"status": "ready"}', True),
        (200, b'{"status": "not_ready"}', False),
        (200, b'{"other": 1}', False),
        (200, b"ready", False),
        (200, b"[]", False),
        (500, b'{"status": "ready"}', False),
        (301, b'{"status": "ready"}', False),
    ],
)
def test_readiness_is_judged_on_status_and_body(status: int, body: bytes, good: bool) -> None:
    """An answer of 200 whose body says otherwise is not ready: the app's own trap."""
    assert (judge(status, body, READY) is None) is good


def test_a_nested_field_and_a_boolean_can_say_ready() -> None:
    """The field may be a path, and true is written as JSON has it."""
    nested = Readiness(path="/r", field="a.ok", equals="true", passes=1, interval_seconds=1, timeout_seconds=1)
    assert judge(200, b'{"a": {"ok": true}}', nested) is None


def test_a_probe_tells_why_there_was_no_answer() -> None:
    """Nobody listening is a reason, not a crash; an answer is judged."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "ready"}')

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    assert probe("127.0.0.1", server.server_port, READY) is None
    thread.join()
    server.server_close()
    assert "no answer" in str(probe("127.0.0.1", server.server_port, READY))


def test_an_answer_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps no host from its work."""
    monkeypatch.setattr(readiness, "PROBE_SECONDS", 0.2)
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        stream, _ = listening.accept()
        with stream, contextlib.suppress(OSError):
            stream.recv(4096)
            stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not over.wait(0.01):
                stream.sendall(b" ")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        assert probe("127.0.0.1", listening.getsockname()[1], READY) is not None
    finally:
        over.set()
        thread.join()
        listening.close()


class StandingClock(FakeClock):
    """A clock on which no time passes while others wait a moment."""

    def sleep(self, seconds: float) -> None:
        """Let the other threads go on."""
        threading.Event().wait(0.001)


def test_what_serves_is_asked_though_a_process_of_it_was_killed() -> None:
    """Docker keeps the mark on a container that runs on; one that ended by it is told as such."""
    release = read_spec(Fields(spec("v1", services=["ingest"])))
    workers = replace(release, services=release.workers)
    engine = FakeEngine()
    engine.all["acp-v1-worker-1"] = Container(
        id="w", name="acp-v1-worker-1", image=IMAGE, project="acp-v1", service="", state="running", health=None,
        exit_code=0, is_oom_killed=True, restarts=0, restart_policy="no", started_at="",
    )  # fmt: skip
    prober = Prober(engine, StandingClock(), None, Redactor())  # type: ignore[arg-type]
    assert prober.wait(workers, fastest_seconds=0.1)
    engine.change("acp-v1-worker-1", state="exited")
    with pytest.raises(HostctlError, match="used more memory"):
        prober.wait(workers, fastest_seconds=0.1)


@pytest.mark.timeout(20)
def test_the_first_container_that_fails_ends_the_waiting_for_all() -> None:
    """A crash is told at once, however long the others still have to get ready."""
    release = read_spec(Fields(spec("v1", services=["ingest"])))
    engine = FakeEngine()
    for name, state, health in (("acp-v1-ingest-1", "exited", None), ("acp-v1-worker-1", "running", "starting")):
        engine.all[name] = Container(
            id=name, name=name, image=IMAGE, project="acp-v1", service="", state=state, health=health, exit_code=3,
            is_oom_killed=False, restarts=0, restart_policy="no", started_at="",
        )  # fmt: skip
    with pytest.raises(HostctlError, match="acp-v1-ingest-1 does not stay up") as raised:
        Prober(engine, StandingClock(), None, Redactor()).wait(release)  # type: ignore[arg-type]
    assert raised.value.code == "crash_loop"


def test_a_worker_that_has_run_for_a_while_needs_no_waiting() -> None:
    """Docker's time says since when; one that cannot be read counts as just now."""
    assert seconds_since("2026-01-01T00:00:00.5Z", 1767225610.0) == 9
    assert seconds_since("0001-01-01T00:00:00Z", 0.0) > 0
    assert seconds_since("", 5.0) == 0


def test_room_is_compared_in_figures() -> None:
    """A reserve stays free; the error has every check."""
    resources = HostResources(memory_available_bytes=2**30, memory_total_bytes=2**31, disk_free_bytes=2**30, load_1m=0)
    assert check_memory(2**29, resources).ok
    assert not check_memory(2**30, resources).ok
    assert not check_disk(2**30, resources).ok
    with pytest.raises(HostctlError) as caught:
        require([check_disk(0, resources), check_memory(2**30, resources)])
    assert caught.value.code == "insufficient_memory"
    assert len(caught.value.details["checks"]) == 2


def test_memory_is_read_in_bytes() -> None:
    """The kernel counts in kB."""
    assert parse_meminfo("MemTotal:  10 kB\nMemAvailable: 5 kB\nHugePages: 0\n") == {
        "MemTotal": 10240,
        "MemAvailable": 5120,
    }


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("health", "is_ready"), [("starting", True), (None, True), ("unhealthy", False)])
def test_the_worker_of_a_warm_start_need_only_run(
    monkeypatch: pytest.MonkeyPatch, health: str | None, *, is_ready: bool
) -> None:
    """Requests come back without waiting for a health check that passed before; one that fails is not ignored."""
    release = read_spec(Fields(spec("v1", services=["ingest"])))
    engine, clock = FakeEngine(), FakeClock()
    for name in ("acp-v1-ingest-1", "acp-v1-worker-1"):
        engine.all[name] = Container(
            id=name, name=name, image=IMAGE, project="acp-v1", service="", state="running", health=health, exit_code=0,
            is_oom_killed=False, restarts=0, restart_policy="no", started_at="", health_check=("check", "me"),
            addresses={"front": "10.0.0.2"},
        )  # fmt: skip
    engine.execute = lambda *_, **__: (1, "")  # type: ignore[attr-defined]
    monkeypatch.setattr(readiness, "probe", lambda *_: None)
    prober = Prober(engine, clock, None, Redactor())  # type: ignore[arg-type]
    if is_ready:
        waited = {passed.container: passed.seconds for passed in prober.wait(release, fastest_seconds=0.2)}
        assert waited["acp-v1-worker-1"] < 1
    else:
        with pytest.raises(HostctlError, match="acp-v1-worker-1 was not healthy"):
            prober.wait(release, fastest_seconds=0.2)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("statuses", "asked"), [([0], 1), ([1, 1, 0], 3)])
def test_a_workers_health_check_is_run_without_waiting_for_docker(
    monkeypatch: pytest.MonkeyPatch, statuses: list[int], asked: int
) -> None:
    """Docker looks for the first time when its interval is over; the same command tells at once."""
    release = read_spec(Fields(spec("v1", services=["ingest"])))
    engine, calls = FakeEngine(), []
    for name, health in (("acp-v1-ingest-1", None), ("acp-v1-worker-1", "starting")):
        engine.all[name] = Container(
            id=name, name=name, image=IMAGE, project="acp-v1", service="", state="running", health=health, exit_code=0,
            is_oom_killed=False, restarts=0, restart_policy="no", started_at="", health_check=("check", "me"),
            addresses={"front": "10.0.0.2"},
        )  # fmt: skip

    def execute(name: str, argv: list[str], *, timeout_seconds: float) -> tuple[int, str]:
        calls.append((name, argv, timeout_seconds))
        return statuses[len(calls) - 1], ""

    engine.execute = execute  # type: ignore[attr-defined]
    monkeypatch.setattr(readiness, "probe", lambda *_: None)
    ready = Prober(engine, StandingClock(), None, Redactor()).wait(release)  # type: ignore[arg-type]
    assert {passed.container for passed in ready} == {"acp-v1-ingest-1", "acp-v1-worker-1"}
    assert [(name, argv) for name, argv, _ in calls] == [("acp-v1-worker-1", ["check", "me"])] * asked


@pytest.mark.parametrize(
    ("test", "argv"),
    [(["CMD", "a", "b"], ("a", "b")), (["CMD-SHELL", "a || b"], ("/bin/sh", "-c", "a || b")), (["NONE"], ())],
)
def test_a_health_check_is_read_as_docker_has_it(test: list[str], argv: tuple[str, ...]) -> None:
    """An argument list, a shell's text, or none."""
    raw = {
        "Id": "x", "Name": "/x", "State": {"Status": "running"}, "HostConfig": {},
        "Config": {"Image": IMAGE, "Healthcheck": {"Test": test}},
    }  # fmt: skip
    assert parse_container(raw).health_check == argv


@pytest.mark.parametrize(
    ("check", "health", "seconds", "output"),
    [
        ({"Timeout": 5_000_000_000}, {"Log": [{"Output": "first"}, {"Output": "last"}]}, 5, "last"),
        ({"Timeout": 0}, {"Log": []}, 30, ""),
        ({}, {"Log": None}, 30, ""),
    ],
)
def test_a_health_check_has_its_own_time_and_its_last_words(
    check: dict[str, Any], health: dict[str, Any], seconds: float, output: str
) -> None:
    """Docker counts in nanoseconds, and gives half a minute where nothing is set."""
    raw = {
        "Id": "x", "Name": "/x", "State": {"Status": "running", "Health": {"Status": "starting", **health}},
        "HostConfig": {}, "Config": {"Image": IMAGE, "Healthcheck": {"Test": ["CMD", "a"], **check}},
    }  # fmt: skip
    found = parse_container(raw)
    assert (found.health_timeout_seconds, found.health_output) == (seconds, output)


def test_a_health_check_runs_in_the_shell_of_its_image() -> None:
    """As Docker runs it."""
    config = {"Image": IMAGE, "Healthcheck": {"Test": ["CMD-SHELL", "a"]}, "Shell": ["/bin/bash", "-ec"]}
    raw = {"Id": "x", "Name": "/x", "State": {"Status": "running"}, "HostConfig": {}, "Config": config}
    assert parse_container(raw).health_check == ("/bin/bash", "-ec", "a")
