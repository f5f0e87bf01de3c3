from __future__ import annotations

import itertools
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from infra.adapters.background import start_module
from infra.checks.probe_files import Plan, ProbeFiles
from infra.checks.prober import ProbeRequest
from infra.reports import store
from tests.support.web import Reply, WebServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_SECONDS = 30.0
ROUTES = ("one", "two")
AWAY_SECONDS = 4.0
LATE_EVERY = 20
LATE_TIMES = 3
STACK = "probe-test"


class Server:
    """A server that closes so many connections without a word, once it is told to."""

    def __init__(self) -> None:
        """Answer everything at first."""
        self.to_drop = 0
        self.dropped = 0

    def __call__(self, _path: str) -> Reply | None:
        """Answer, or drop."""
        if self.dropped < self.to_drop:
            self.dropped += 1
            return None
        return Reply(body={}, headers={"X-ACP-Release": "v1-0"})


@pytest.fixture
def server() -> Server:
    """Return how the server answers."""
    return Server()


@pytest.fixture
def web(server: Server) -> Iterator[WebServer]:
    """Return the server."""
    with serving(server) as web:
        yield web


@pytest.fixture
def engine() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that stands for the Pulumi engine."""
    process = subprocess.Popen([sys.executable, "-IS", "-c", "import time; time.sleep(300)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def files(tmp_path: Path) -> ProbeFiles:
    """Return where the probe has its files."""
    return ProbeFiles(folder=tmp_path / "probe" / "run-1")


@pytest.fixture
def probe(web: WebServer, engine: subprocess.Popen[bytes], files: ProbeFiles) -> Iterator[subprocess.Popen[str]]:
    """Return a probe that sends, with nothing of it left afterwards."""
    files.write_plan(
        Plan(
            requests=[ProbeRequest(name=n, method="GET", url=f"http://127.0.0.1:{web.port}/{n}") for n in ROUTES],
            rate=20,
            slow_ms=1000,
            max_seconds=120,
            engine_pid=engine.pid,
            engine_created=psutil.Process(engine.pid).create_time(),
            document={"stack": STACK, "release": "v1-0", "run_id": "run-1"},
        )
    )
    process = start_module("infra.checks.probe", str(files.folder))
    wait(lambda: answered(files) > 20)
    yield process
    process.kill()
    process.wait()
    for path in (store.FOLDER / STACK).glob("v1-0.*"):
        path.unlink()


def wait(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def answered(files: ProbeFiles) -> int:
    """Return how many requests the probe says were answered."""
    state = files.read_state()
    return state.answered if state else 0


def result(probe: subprocess.Popen[str], files: ProbeFiles) -> dict[str, Any]:
    """End the probe and return the certificate."""
    probe.terminate()
    assert probe.wait(timeout=WAIT_SECONDS) == 0
    found = files.read_result()
    assert found is not None
    return found


def test_the_probe_counts_exactly_what_the_server_dropped(
    probe: subprocess.Popen[str], files: ProbeFiles, server: Server, web: WebServer
) -> None:
    """Sent is what reached the server; failed is what it dropped, seen in the state at once and in the certificate."""
    server.to_drop = 7
    wait(lambda: (state := files.read_state()) and state.failed == 7)
    found = result(probe, files)
    assert (found["sent"], found["failed"], found["own"]) == (len(web.asked), 7, 0)
    assert found["answered"] == found["by_release"]["v1-0"] == len(web.asked) - 7
    assert sum(found["reasons"].values()) == len(found["losses"]) == 7
    assert found["silent_routes"] == []


def test_a_probe_that_was_stopped_itself_blames_nobody_else(probe: subprocess.Popen[str], files: ProbeFiles) -> None:
    """A pause of the probe's own process is neither a failure nor a slow answer nor a gap of the server."""
    probe.send_signal(19)
    time.sleep(1.5)
    probe.send_signal(18)
    before = answered(files)
    wait(lambda: answered(files) > before + 20)
    found = result(probe, files)
    assert (found["failed"], found["slow"]) == (0, 0)
    assert found["longest_gap_ms"] < 1000


def test_a_stopped_server_is_not_taken_for_a_pause_of_the_probe(
    probe: subprocess.Popen[str], files: ProbeFiles, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the control target answers, a server that is away for the same time is slow.

    It is away several times: in one of them this machine itself may have been too busy to tell.
    """
    asked = itertools.count()

    def late(self: Server, _path: str) -> Reply:
        if next(asked) % LATE_EVERY == 0:
            time.sleep(AWAY_SECONDS)
            self.dropped += 1
        return Reply(body={}, headers={"X-ACP-Release": "v1-0"})

    monkeypatch.setattr(Server, "__call__", late)
    wait(lambda: server.dropped >= LATE_TIMES)
    found = result(probe, files)
    assert found["slow"] >= 1


def test_the_probe_ends_with_the_engine_and_leaves_a_report(
    probe: subprocess.Popen[str], files: ProbeFiles, engine: subprocess.Popen[bytes]
) -> None:
    """A killed engine ends the probe and its control target, its files go, and the page says how the update ended."""
    below = psutil.Process(probe.pid).children(recursive=True)
    assert len(below) == 1
    engine.kill()
    assert probe.wait(timeout=WAIT_SECONDS) == 0
    assert not below[0].is_running()
    assert not files.folder.exists()
    document = store.read_report(STACK, "v1-0")
    assert document is not None
    assert document["outcome"] == "unfinished"
    assert document["certificate"]["answered"] > 20


def test_nothing_outlives_a_killed_probe(probe: subprocess.Popen[str]) -> None:
    """The control target ends with the probe, also when it is killed."""
    (control,) = psutil.Process(probe.pid).children(recursive=True)
    probe.kill()
    wait(lambda: not control.is_running() or control.status() == psutil.STATUS_ZOMBIE)


def test_no_secret_of_the_environment_reaches_the_probe(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The probe's environment has nothing but what a program needs to run."""
    monkeypatch.setenv("LOCAL_SECRET_KEY", "s3cr3t-of-the-environment")
    probe: subprocess.Popen[str] = request.getfixturevalue("probe")
    for process in (psutil.Process(probe.pid), *psutil.Process(probe.pid).children()):
        assert "s3cr3t" not in str(process.environ())
