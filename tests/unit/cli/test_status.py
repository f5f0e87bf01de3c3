from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from click.testing import CliRunner

from infra.cli import status as status_module
from infra.cli import watch as watch_module
from infra.cli.main import main
from infra.cli.watch import read_forever
from infra.errors import HostUnreachableError
from tests.support.fake_hostctl import Stage, make_stage
from tests.support.settings import make_settings

RELEASE = "v2-0"


def answer(**changes: Any) -> dict[str, Any]:
    """Return what hostctl says of a host that serves the release."""
    return {
        "serving": RELEASE,
        "candidate": None,
        "previous": "v1-0",
        "parked": ["v1-0"],
        "phase": "idle",
        "weight": 0,
        "lease": None,
        "last_trial": None,
        "releases": {},
        "drift": [],
        **changes,
    }


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return two hosts that serve what the record says."""
    stage = make_stage()
    stage.answer("status", answer())
    images = {"acp-ingest": "x@sha256:1"}
    entry = {"release": RELEASE, "images": images, "hosts": {"h1": "key", "h2": "key"}}
    outputs = {
        "release": RELEASE, "previous": "v1-0", "urls": ["http://h1"], "images": images, "release_entry": entry,
    }  # fmt: skip
    monkeypatch.setattr(status_module, "load", lambda _stack: make_settings())
    monkeypatch.setattr(status_module, "stack_outputs", lambda _stack: outputs)
    monkeypatch.setattr(status_module, "host_clients", lambda _settings: stage.context.group.clients)
    monkeypatch.setattr(watch_module, "host_clients", lambda _settings: stage.context.group.clients)
    monkeypatch.setattr(watch_module, "shared", contextlib.nullcontext)
    return stage


def status(*arguments: str, code: int = 0) -> str:
    """Run `acp-release status` and return its output."""
    result = CliRunner().invoke(main, ["status", "--stack", "local", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def whats(document: dict[str, Any]) -> list[str]:
    """Return the differences in words."""
    return [f"{difference['host']}: {difference['what']}" for difference in document["differences"]]


def test_hosts_that_agree_are_no_difference(stage: Stage) -> None:
    """The document says what the record and each host say, and ends with 0."""
    document = json.loads(status("--json"))
    assert (document["stack"], document["release"], document["previous"]) == ("local", RELEASE, "v1-0")
    assert [(host["host"], host["serving"]) for host in document["hosts"]] == [("h1", RELEASE), ("h2", RELEASE)]
    assert document["differences"] == []
    text = status()
    assert "local: v2-0" in text
    assert "http://h1" in text


def test_a_host_that_serves_another_release_is_a_difference(stage: Stage) -> None:
    """The difference is said in words and the exit code is 20."""
    stage.answer("status", answer(serving="v1-0"), host="h2")
    document = json.loads(status("--json", code=20))
    assert whats(document) == ["h2: it serves v1-0, the record says v2-0"]
    text = status(code=20)
    assert "differs: h2: it serves v1-0, the record says v2-0" in text
    assert "mend:  `pulumi up --stack local`" in text


def test_a_host_that_a_rollback_left_alone_is_told_what_brings_it_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record names the hosts that have the release; another one gets it by the same rollback."""
    entry = {"release": RELEASE, "images": {}, "hosts": {"h1": "key"}}
    outputs = {"release": RELEASE, "release_entry": entry, "history": [entry, {"release": "v3-0"}]}
    monkeypatch.setattr(status_module, "stack_outputs", lambda _stack: outputs)
    stage.answer("status", answer(serving="v3-0"), host="h2")
    assert f"mend:  `acp-release rollback --to {RELEASE} --stack local --yes`" in status(code=20)


def test_a_host_that_cannot_be_reached_is_a_difference(stage: Stage) -> None:
    """The others are shown all the same, and the error as it is, brackets included."""
    stage.answer("status", HostUnreachableError("h1 is not reachable: [redacted]", mend="look at it"), host="h1")
    document = json.loads(status("--json", code=20))
    assert whats(document) == ["h1: h1 is not reachable: [redacted]"]
    assert document["differences"][0]["mend"] == "look at it"
    assert document["hosts"][1]["serving"] == RELEASE
    assert "h1 is not reachable: [redacted]" in status(code=20)


def test_a_new_stack_has_nothing_and_differs_from_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first release, hosts that serve nothing agree with a record of nothing."""
    monkeypatch.setattr(status_module, "stack_outputs", lambda _stack: {})
    stage.answer("status", answer(serving=None, previous=None, parked=[]))
    assert json.loads(status("--json"))["release"] is None
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://acp?profile=ci")
    assert "no release yet in the backend s3://acp\n" in status()


class TestWatch:
    """The live view."""

    counters = {  # noqa: RUF012 - read only
        "services": {"acp-ingest": {RELEASE: {"requests": 10, "failures": 1, "time_ms_average": 7, "weight": 90}}}
    }

    def test_a_reading_has_a_row_per_host_service_and_release(self, stage: Stage) -> None:
        """Counters of every host stand side by side; the first reading has no rate yet."""
        stage.answer("counters", self.counters)
        rows = next(read_forever(list(stage.context.group.clients)))
        assert [(row["host"], row["service"], row["release"], row["requests"]) for row in rows] == [
            ("h1", "acp-ingest", RELEASE, 10),
            ("h2", "acp-ingest", RELEASE, 10),
        ]
        assert rows[0]["per_second"] == 0
        assert (rows[0]["failures"], rows[0]["mean_ms"], rows[0]["weight"]) == (1, 7, 90)

    def test_a_silent_host_is_a_row_that_says_so(self, stage: Stage) -> None:
        """One host that does not answer does not end the view."""
        stage.answer("counters", {"services": {}})
        stage.answer("status", HostUnreachableError("h1 is gone\nmore"), host="h1")
        rows = next(read_forever(list(stage.context.group.clients)))
        assert [row["phase"] for row in rows] == ["h1 is gone", "idle"]

    def test_readings_are_json_lines_until_interrupted(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        """With `--json` each reading is a line; Ctrl-C is a good end."""
        stage.answer("counters", self.counters)

        def interrupt(_seconds: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(watch_module.time, "sleep", interrupt)
        (line,) = status("--watch", "--json").splitlines()
        assert len(json.loads(line)) == 2
        assert RELEASE in status("--watch")
