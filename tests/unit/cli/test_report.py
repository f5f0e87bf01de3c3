from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from infra.cli import report as report_module
from infra.cli import resources as resources_module
from infra.cli.main import main
from infra.errors import HostUnreachableError
from tests.support.fake_hostctl import make_stage
from tests.unit.rollout.test_resource_watch import HOST, row

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRY = {
    "release": "v2-0",
    "version": "v2",
    "run_id": "run-2",
    "images": {},
    "checks": [],
    "timeline": {"committed": 4},
    "started_at": "2026-01-01T00:00:00+00:00",
    "ended_at": "2026-01-01T00:10:00+00:00",
}
OLDER = {**ENTRY, "release": "v1-0", "run_id": "run-1"}
LOCAL: dict[str, Any] = {"release": "v3-0", "outcome": "reverted", "reason": "no", "stack": "local"}


def run(*arguments: str, code: int = 0) -> str:
    """Run `acp-release` and return its standard output."""
    result = CliRunner().invoke(main, [*arguments, "--stack", "local"])
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Return the documents on this machine by release, to be bent."""
    found = {"v3-0": LOCAL, "v2-0": local()}
    monkeypatch.setattr(report_module, "read_report", lambda _stack, release: found.get(release))
    return found


def local(**changes: Any) -> dict[str, Any]:
    """Return what the run that is recorded left on this machine."""
    began = {"started_at": "2026-01-01T00:01:00.000Z", "ended_at": "2026-01-01T00:09:00.000Z"}
    return {"release": "v2-0", "outcome": "released", "run_id": "run-2", "max_memory_percent": 80, **began, **changes}


@pytest.fixture
def written(kept: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Replace record and files; return the documents that would have been written."""
    documents: list[Mapping[str, Any]] = []

    def write_report(document: Mapping[str, Any]) -> str:
        documents.append(document)
        return "page.html"

    monkeypatch.setattr(report_module, "write_report", write_report)
    outputs = {"release": "v2-0", "history": [ENTRY, OLDER]}
    monkeypatch.setattr(report_module, "stack_outputs", lambda _stack: outputs)
    return documents


def test_the_current_release_is_rendered_from_the_record(written: list[Mapping[str, Any]]) -> None:
    """What the record has counts; what only this machine has is added."""
    assert run("report") == "page.html\n"
    assert (written[0]["run_id"], written[0]["max_memory_percent"]) == ("run-2", 80)
    assert (written[0]["started_at"], written[0]["ended_at"]) == (ENTRY["started_at"], ENTRY["ended_at"])
    assert written[0]["is_current"]


def test_a_release_that_is_not_current_is_not_said_to_serve(written: list[Mapping[str, Any]]) -> None:
    """An older entry of the record is rendered as what it is."""
    run("report", "v1-0")
    assert (written[0]["release"], written[0]["is_current"]) == ("v1-0", False)


@pytest.mark.parametrize("run_id", ["run-9", "run-2"])
def test_a_later_run_that_failed_is_not_mixed_with_the_record(
    written: list[Mapping[str, Any]], kept: dict[str, dict[str, Any]], run_id: str
) -> None:
    """A rollback to a recorded release that failed is shown as it went, also where it was to verify the same run."""
    later = {"started_at": "2026-02-01T00:00:00.000Z", "ended_at": "2026-02-01T00:01:00.000Z"}
    kept["v2-0"] = local(outcome="reverted", run_id=run_id, **later)
    run("report", "v2-0")
    assert written == [{**kept["v2-0"], "is_current": True}]


def test_an_earlier_run_that_failed_is_not_mixed_with_the_record(
    written: list[Mapping[str, Any]], kept: dict[str, dict[str, Any]]
) -> None:
    """The record is the newer one, and nothing of the other run is in it."""
    kept["v2-0"] = local(outcome="reverted", run_id="run-0", reason="no", started_at="2025-12-31T00:00:00.000Z")
    run("report", "v2-0")
    assert (written[0]["outcome"], written[0]["run_id"]) == ("released", "run-2")
    assert {"reason", "max_memory_percent"}.isdisjoint(written[0])


def test_a_release_that_was_not_made_is_rendered_from_this_machine(written: list[Mapping[str, Any]]) -> None:
    """A failed release is in no record; its update left what is known of it."""
    document = json.loads(run("report", "v3-0", "--json"))
    assert (document["page"], document["outcome"], document["reason"]) == ("page.html", "reverted", "no")


def test_an_unknown_release_is_a_usage_error(written: list[Mapping[str, Any]]) -> None:
    """Nothing is rendered of what nobody knows."""
    run("report", "v9-0", code=2)
    assert written == []


def hosts(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    """Let every host of the stack answer like this."""
    stage = make_stage()
    stage.answer("resources", answer)
    monkeypatch.setattr(resources_module, "load", lambda _stack: stage.context.settings)
    monkeypatch.setattr(resources_module, "host_clients", lambda _settings: stage.context.group.clients)


def test_resources_are_shown_and_a_broken_limit_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the limits 0, with a breach 50 and a line that names it."""
    hosts(monkeypatch, {"host": HOST, "containers": [row("v2", connections=None)]})
    assert "acp-v2-ingest-1" in run("resources")
    hosts(monkeypatch, {"host": HOST, "containers": [row("v2", memory_bytes=99)]})
    assert "breach: memory of acp-v2-ingest-1 on h1" in run("resources", code=50)
    assert json.loads(run("resources", "--json", code=50))["containers"][0]["memory_bytes"] == [99]


def test_hosts_that_do_not_answer_are_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one reading there is nothing to judge."""
    hosts(monkeypatch, HostUnreachableError("not reachable"))
    run("resources", code=20)
