from __future__ import annotations

import dataclasses
import json
import re
import socket
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.hostctl.edge.backends import _json_member
from infra.hostctl.edge.certificate import place_certificate
from infra.hostctl.edge.config import render_config
from infra.hostctl.edge.container import HOLDER, RELIEFS, edge_document
from infra.hostctl.edge.control import Edge
from infra.hostctl.edge.files import EdgeFiles
from infra.hostctl.edge.ledger import Ledger
from infra.hostctl.edge.routing import committed_routing
from infra.hostctl.edge.sockets import ask
from infra.hostctl.edge.stats import ServerStat, frontend_sessions, parse_stats, parse_workers
from infra.hostctl.errors import HostctlError
from tests.support.certificates import Authority
from tests.unit.hostctl.fakes import FakeClock, FakeEngine
from tests.unit.hostctl.test_edge_routing import PEM, settings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from infra.hostctl.engine import Engine

KEY = "-----BEGIN PRIVATE KEY-----"
STATS = """\
# pxname,svname,scur,stot,econ,eresp,wretr,wredis,status,weight,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,\
qtime,ctime,rtime,ttime,
public-8000,FRONTEND,3,100,,,,,OPEN,,,,,,,,,,
metrics,FRONTEND,9,1,,,,,OPEN,,,,,,,,,,
acp-ingest,v1:1,2,90,1,2,3,4,UP,256,80,1,2,7,1,2,9,412,
acp-ingest,v2:1,0,10,0,0,0,0,DOWN,28,10,0,0,0,1,2,12,415,
acp-ingest,BACKEND,2,100,1,2,3,4,UP,284,90,1,2,7,,,,,
acp-ingest,v1:1:backup,0,2,0,0,0,0,UP,1,2,0,0,0,1,2,6,409,
acp-ingest:fallback,v1:1,0,5,0,0,0,0,UP,1,5,0,0,0,1,2,6,409,
acp-ingest:verify,v2:1,0,3,0,0,0,0,no check,1,3,0,0,0,1,2,6,409,
acp-ingest:current:verify,v1:1,0,4,0,0,0,0,no check,1,4,0,0,0,1,2,6,409,
"""
WORKERS = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
10              master          2 [failed: 0]   0d00h01m15s     3.0.11
# workers
27              worker          0               0d00h00m58s     3.0.11
# old workers
19              worker          1               0d00h01m08s     3.0.11
# programs

"""


def stat(requests: int, backend: str = "acp-ingest", server: str = "v1:1") -> ServerStat:
    """Return a reading of a replica."""
    zero: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(ServerStat)}
    return ServerStat(**{**zero, "backend": backend, "server": server, "status": "UP", "requests": requests})


def certificate(folder: Path) -> str:
    """Return the PEM of a new certificate with its key."""
    return Authority(folder / "authority").sign("edge.test", days=30).read_text(encoding="utf-8")


def test_statistics_are_read_by_replica() -> None:
    """Only replicas count, each with its service, release and state."""
    rows = parse_stats(STATS)
    assert [(row.service, row.release, row.is_up, row.requests) for row in rows] == [
        ("acp-ingest", "v1", True, 90),
        ("acp-ingest", "v2", False, 10),
        ("acp-ingest", "v1", True, 2),
        ("acp-ingest", "v1", True, 5),
        ("acp-ingest", "v2", True, 3),
        ("acp-ingest", "v1", True, 4),
    ]
    kinds = [(row.is_fallback, row.is_verify) for row in rows]
    assert kinds == [(False, False)] * 2 + [(True, False)] * 2 + [(False, True)] * 2
    assert [row.is_routed for row in rows] == [True] * 2 + [False] * 4
    assert (rows[0].http_5xx, rows[0].redispatches, rows[0].time_ms_average) == (7, 4, 12)
    assert frontend_sessions(STATS) == 3


def test_workers_are_told_from_old_ones() -> None:
    """A worker that only finishes what it has is old."""
    assert [(worker.pid, worker.is_old) for worker in parse_workers(WORKERS)] == [(27, False), (19, True)]


def test_counters_survive_reloads_and_restarts() -> None:
    """What each worker adds is counted once, whatever order workers come and go in."""
    ledger = Ledger()
    ledger.fold({"w1": [stat(10)]})
    ledger.fold({"w1": [stat(15)]})
    ledger.fold({"w1": [stat(18)], "w2": [stat(4)]})
    ledger = Ledger.from_json(ledger.to_json())
    ledger.fold({"w2": [stat(9)]})
    ledger.fold({"w3": [stat(1)]})
    assert ledger.totals["acp-ingest"]["v1"]["requests"] == 18 + 9 + 1


def test_a_worker_that_begins_again_is_not_counted_backwards() -> None:
    """Where counts are lower than before, they are all new."""
    ledger = Ledger()
    ledger.fold({"w1": [stat(10)]})
    ledger.fold({"w1": [stat(3)]})
    assert ledger.totals["acp-ingest"]["v1"]["requests"] == 13


def test_requests_of_checks_are_not_the_release_s() -> None:
    """The verification route does not count, the stand-by route does."""
    ledger = Ledger()
    ledger.fold({"w1": [stat(7, backend="acp-ingest:verify"), stat(2, backend="acp-ingest:fallback")]})
    assert ledger.totals == {"acp-ingest": {"v1": {**ledger.totals["acp-ingest"]["v1"], "requests": 2}}}
    ledger.keep([])
    assert ledger.totals == {"acp-ingest": {}}


def test_the_edge_has_no_privileges() -> None:
    """Every container of the edge runs as a numeric user, read-only, without capabilities."""
    images = {HOLDER: "a", RELIEFS[0]: "b"}
    document = edge_document(settings(), folder="/acp/edge", user="1000:1000", images=images)
    for body in document["services"].values():
        assert body["user"] == "1000:1000"
        assert body["read_only"]
        assert body["cap_drop"] == ["ALL"]
        assert body["security_opt"] == ["no-new-privileges:true"]
        assert body["volumes"][0]["read_only"]


def test_only_the_holder_publishes_ports_and_verification_only_on_the_loopback() -> None:
    """The candidate's route is not open to the public."""
    document = edge_document(
        settings(bind_address="192.0.2.1"), folder="/e", user="1:1", images={HOLDER: "a", RELIEFS[1]: "b"}
    )
    ports = {port["target"]: port["host_ip"] for port in document["services"][HOLDER]["ports"]}
    assert ports == dict.fromkeys((80, 8000, 8001), "192.0.2.1") | dict.fromkeys(range(18000, 18004), "127.0.0.1")
    relief = document["services"][RELIEFS[1]]
    assert "ports" not in relief
    assert relief["network_mode"] == relief["pid"] == f"container:{HOLDER}"


def test_routes_are_written_only_when_they_change(tmp_path: Path) -> None:
    """Writing the same routes again says so; the active ones are told by their link."""
    files = EdgeFiles(tmp_path)
    files.prepare(HOLDER)
    assert files.write_routes("committed.cfg", "x")
    assert not files.write_routes("committed.cfg", "x")
    assert files.active(HOLDER) is None
    files.activate(HOLDER, "trial.cfg")
    assert files.active(HOLDER) == "trial.cfg"


def test_a_route_file_that_somebody_edited_is_seen(tmp_path: Path) -> None:
    """The file is compared with what these settings and routes render to, to the letter."""
    files = EdgeFiles(tmp_path)
    files.prepare(HOLDER)
    files.save(settings(), container=HOLDER, images={HOLDER: settings().image})
    edge = Edge(files, cast("Engine", FakeEngine()), cast("Clock", FakeClock()))
    routing = committed_routing(None)
    assert not edge.has_written(routing)
    text = render_config(settings(), routing)
    files.write_routes("committed.cfg", text)
    assert edge.has_written(routing)
    files.write_routes("committed.cfg", f"{text}# by hand\n")
    assert not edge.has_written(routing)


def test_a_certificate_is_placed_once_and_only_if_it_can_be_used(tmp_path: Path) -> None:
    """Its file is readable by nobody else."""
    files, pem = EdgeFiles(tmp_path), certificate(tmp_path)
    files.prepare(HOLDER)
    assert place_certificate(files, pem, None)
    assert not place_certificate(files, pem, None)
    assert not place_certificate(files, None, None)
    assert files.certificate.stat().st_mode & 0o777 == 0o600
    with pytest.raises(HostctlError) as caught:
        place_certificate(files, "-----BEGIN CERTIFICATE-----", None)
    assert caught.value.code == "certificate_invalid"
    with pytest.raises(HostctlError, match="cannot be read"):
        place_certificate(files, None, str(tmp_path / "missing.pem"))


def _with_another_key(pem: str, other: str) -> str:
    return pem.partition(KEY)[0] + KEY + other.partition(KEY)[2]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_with_another_key, "key values mismatch"),
        (lambda pem, _: pem[:-200], "bad end line"),
        (lambda _pem, _other: PEM, "no certificate or key"),
    ],
)
def test_a_certificate_that_cannot_be_used_leaves_the_one_before(tmp_path: Path, spoil: Any, reason: str) -> None:
    """HAProxy could not start with it; the error shows nothing of the key, and no file of it is left."""
    files, pem = EdgeFiles(tmp_path / "edge"), certificate(tmp_path)
    files.prepare(HOLDER)
    place_certificate(files, pem, None)
    bad = spoil(certificate(tmp_path), certificate(tmp_path))
    with pytest.raises(HostctlError, match=reason) as caught:
        place_certificate(files, bad, None)
    assert caught.value.code == "certificate_invalid"
    assert files.certificate.read_text(encoding="utf-8") == pem
    assert list(files.certificate.parent.iterdir()) == [files.certificate]
    assert not any(line in str(caught.value) for line in bad.splitlines())


def test_a_socket_with_a_long_path_is_asked(tmp_path: Path) -> None:
    """The path may be longer than a socket address; an answer ends when the other side closes."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    server = socket.socket(socket.AF_UNIX)
    short = tmp_path / "s"
    server.bind(str(short))
    short.rename(folder / "worker.sock")
    server.listen()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            command = connection.makefile("rb").read()
            connection.sendall(b"got " + command)

    thread = threading.Thread(target=serve)
    thread.start()
    assert ask(folder / "worker.sock", "show info") == "got show info\n"
    thread.join()
    server.close()
    with pytest.raises(HostctlError) as caught:
        ask(folder / "worker.sock", "show info")
    assert caught.value.code == "edge_missing"


def readiness_pattern(field: str, value: str) -> re.Pattern[str]:
    """Return the regular expression of the edge's checks, as HAProxy reads it from its configuration."""
    unquoted = re.sub(r'\\([\\" ])', r"\1", _json_member(field, value))
    return re.compile(unquoted.replace("[:space:]", r"\s"))


@pytest.mark.parametrize(
    ("answer", "is_ready"),
    [
        ({"status": "ready"}, True),
        ({"status": "not_ready"}, False),
        ({"status": "not_ready", "critical_services": {"database": {"status": "ready"}}}, False),
        ({"critical_services": {"database": {"status": "ready"}}, "status": "not_ready"}, False),
        ({"critical_services": {"database": {"status": "down"}}, "status": "ready"}, True),
        ({"a": {"b": {"c": {"d": {"e": [{}, {"status": "no"}]}}}}, "status": "ready"}, True),
        ({"note": 'said "{" and \\ and }}', "status": "ready"}, True),
        ({"note": '"status":"ready",', "status": "no"}, False),
        ([{"status": "ready"}], False),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_edge_judges_the_answers_own_member(answer: object, is_ready: bool, indent: int | None) -> None:
    """A part of the app that is ready does not make an answer one that says ready."""
    found = readiness_pattern("status", "ready").search(json.dumps(answer, indent=indent))
    assert (found is not None) is is_ready


def test_the_edge_looks_for_the_last_part_of_a_path() -> None:
    """Booleans and numbers have no quotes in JSON."""
    pattern = readiness_pattern("data.ready", "true")
    assert pattern.search('{"data": {"ready": true}}')
    assert not pattern.search('{"data": {"ready": false}}')


def test_the_edge_gives_nothing_back_that_it_matched() -> None:
    """HAProxy matches with little room: a long answer needs more than that where a group may be tried another way."""
    pattern = _json_member("status", "ready")
    assert pattern.count(")*") == pattern.count(")*+") > 0
