"""Reading the workers of HAProxy while they come, go, and are cut off in the middle of an answer."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, cast

import pytest

from infra.hostctl.edge.container import HOLDER, RELIEFS
from infra.hostctl.edge.control import Edge, Survey
from infra.hostctl.edge.files import EdgeFiles
from infra.hostctl.edge.sockets import ask
from infra.hostctl.errors import HostctlError
from tests.unit.hostctl.fakes import FakeClock, FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from infra.hostctl.engine import Engine

OLD_PROCESS = "19              worker\n"
PROCESSES = "#<PID>          <type>\n10              master\n# workers\n27              worker\n# old workers\n{old}\n"
COLUMNS = "# pxname,svname,scur,stot,status,weight,hrsp_4xx,\n"
SERVER_ROW = "acp-ingest,v1:1,0,{requests},UP,256,{requests},\n\n"
INFORMATION = "Name: HAProxy\nStart_time_sec: 1795837121\n\n"


class Speaker:
    """Answers as a process of HAProxy does, with what a test puts into `answers`."""

    def __init__(self, path: Path) -> None:
        """Listen at a path in a container's run folder."""
        self.answers: dict[str, str] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.relpath(path))  # the whole path may be too long for an address
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def count(self, requests: int, pid: int = 27) -> None:
        """Have a worker answer, with so many requests so far."""
        self.answers[f"@!{pid} show info"] = INFORMATION
        self.answers[f"@!{pid} show stat"] = COLUMNS + SERVER_ROW.format(requests=requests)

    def close(self) -> None:
        """End: the socket stays, and nobody listens."""
        if self._thread.is_alive():
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        """Answer one question after the other; one that has no answer is cut off."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                command = connection.makefile("rb").read().decode().strip()
                connection.sendall(self.answers.get(command, "").encode())


@pytest.fixture
def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edge:
    """Return an edge whose one container has a run folder."""
    monkeypatch.chdir(tmp_path)
    files = EdgeFiles(tmp_path)
    files.prepare(HOLDER)
    return Edge(files, cast("Engine", FakeEngine()), cast("Clock", FakeClock()))


@pytest.fixture
def master(edge: Edge) -> Iterator[Speaker]:
    """Return a master with one worker that has answered 40 requests."""
    master = Speaker(edge.files.run(HOLDER) / "master.sock")
    master.answers["show proc"] = PROCESSES.format(old="")
    master.count(40)
    yield master
    master.close()


def counted(edge: Edge) -> int:
    """Return what the counters on disk say after another reading."""
    ledger, _ = edge.fold_counters()
    return ledger.totals["acp-ingest"]["v1"]["requests"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("show proc", ""),
        ("show proc", "#<PID>          <type>\n10              master\n"),
        ("show proc", "#<PID>          <type>\n10              master\n# workers\n27     "),
        ("@!27 show info", ""),
        ("@!27 show stat", ""),
        ("@!27 show stat", COLUMNS),
        ("@!27 show stat", f"{COLUMNS}acp-ingest,v1:1,0,4"),
        ("@!27 show stat", f"{COLUMNS}acp-ingest,v1:1,0,4\n"),
    ],
)
def test_an_answer_that_is_cut_off_changes_no_count(edge: Edge, master: Speaker, command: str, answer: str) -> None:
    """The worker lives: what it counted before is not added again when it answers the next time."""
    assert counted(edge) == 40
    whole, master.answers[command] = master.answers[command], answer
    assert edge.survey().silent
    assert counted(edge) == 40
    master.answers[command] = whole
    master.count(45)
    assert counted(edge) == 45


def test_what_an_old_worker_counted_stays_when_it_is_gone(edge: Edge, master: Speaker) -> None:
    """It is not silent, it is not there any more; nor are the containers that stand by."""
    master.answers["show proc"] = PROCESSES.format(old=OLD_PROCESS)
    master.count(3, pid=19)
    assert counted(edge) == 43
    assert [reading.is_old for reading in edge.survey().readings] == [False, True]
    master.answers["show proc"] = PROCESSES.format(old="")
    master.count(50)
    assert counted(edge) == 53
    assert edge.survey().silent == ()
    assert len(edge.fold_counters()[0].seen) == 1


def test_an_old_worker_that_the_answer_did_not_come_to_is_not_forgotten(edge: Edge, master: Speaker) -> None:
    """A list of workers that was cut off says nothing of those that it lacks."""
    whole = PROCESSES.format(old=OLD_PROCESS)
    master.answers["show proc"] = whole
    master.count(3, pid=19)
    assert counted(edge) == 43
    master.answers["show proc"] = whole.partition("19")[0]
    assert edge.survey().silent
    assert counted(edge) == 43
    master.answers["show proc"] = whole
    assert counted(edge) == 43


def test_nobody_listens_for_the_master_while_it_reloads(edge: Edge, master: Speaker) -> None:
    """Its worker answers at its own socket: it may have requests, and is not counted again from zero."""
    assert counted(edge) == 40
    with contextlib.closing(Speaker(edge.files.run(HOLDER) / "worker.sock")) as worker:
        worker.answers["show info"] = f"{INFORMATION.strip()}\nPid: 27\n\n"
        master.close()
        assert edge.survey() == Survey(silent=(f"{HOLDER}/",))
        assert counted(edge) == 40
        assert len(edge.fold_counters()[0].seen) == 1


def test_an_edge_that_ended_is_not_silent(edge: Edge, master: Speaker) -> None:
    """Where nobody listens there are no requests, and nothing to wait for."""
    assert counted(edge) == 40
    master.close()
    assert edge.survey() == Survey()
    assert counted(edge) == 40
    assert edge.fold_counters()[0].seen == {}
    for path in (edge.files.run(HOLDER) / "master.sock", edge.files.run(RELIEFS[0]) / "master.sock"):
        with pytest.raises(HostctlError) as caught:
            ask(path, "show proc")
        assert caught.value.code == "edge_missing"
