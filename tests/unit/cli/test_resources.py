from __future__ import annotations

import json

import pytest

from infra.cli import resources as resources_module
from infra.errors import HostUnreachableError
from tests.support.fake_hostctl import Stage, make_stage
from tests.unit.cli.invoke import call

HOST = {"memory_available_bytes": 2**30, "memory_total_bytes": 2**31, "disk_free_bytes": 2**33, "load_1m": 0.5}
CONTAINER = {
    "name": "acp-v2-ingest-1", "release": "v2-0", "service": "acp-ingest", "state": "running", "restarts": 0,
    "oom_kills": 0, "connections": 4, "disk_bytes": 0, "memory_bytes": 50, "cpu_seconds": 1.0,
    "memory_limit_bytes": 100, "pids": 3,
}  # fmt: skip


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return two hosts with one container each."""
    stage = make_stage()
    stage.answer("resources", {"host": HOST, "containers": [CONTAINER]})
    monkeypatch.setattr(resources_module, "load", lambda _stack: stage.context.settings)
    monkeypatch.setattr(resources_module, "host_clients", lambda _settings: stage.context.group.clients)
    return stage


def test_one_reading_does_not_tell_the_cpu(stage: Stage) -> None:
    """It is a dash for people and null for scripts, not 0."""
    done = call("resources", "--stack", "local", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["unanswered"]) == (0, [])
    assert [container["cpu_percent"] for container in document["containers"]] == [[None], [None]]
    rows = [line.split("│") for line in call("resources", "--stack", "local").stdout.splitlines() if "│" in line]
    assert [row[6].strip() for row in rows] == ["-", "-"]
    assert len(stage.journal.of("resources")) == 4


def test_a_host_that_does_not_answer_is_named(stage: Stage) -> None:
    """The others are shown, and the exit code is 20."""
    stage.answer("resources", HostUnreachableError("h2 is not reachable"), host="h2")
    done = call("resources", "--stack", "local", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["unanswered"]) == (20, ["h2"])
    assert {container["host"] for container in document["containers"]} == {"h1"}
    assert "asking h1, h2 …" in done.stderr
    assert "h2 did not answer" in done.stderr
