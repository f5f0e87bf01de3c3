from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from infra.adapters.pulumi_cli import NoStackError
from infra.audit.events import ReadEvents
from infra.cli import docs as docs_module
from infra.cli.main import main
from infra.errors import HostUnreachableError
from tests.support.settings import make_settings
from tests.unit.docs_pages.events import HISTORY, STATE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let every stack have the same history."""
    monkeypatch.setattr(docs_module, "load", lambda _stack: make_settings())
    monkeypatch.setattr(docs_module, "host_clients", lambda _settings: [])
    monkeypatch.setattr(docs_module, "read_status", lambda stack: {**STATE, "stack": stack})
    monkeypatch.setattr(docs_module, "read_events", lambda _stack, _clients: ReadEvents(events=HISTORY[::-1]))
    monkeypatch.setattr(docs_module, "DEFAULT_FOLDER", tmp_path / "reports" / "docs")


def docs(*arguments: str, code: int = 0) -> str:
    """Run `acp-release docs` and return its standard output."""
    result = CliRunner().invoke(main, ["docs", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_both_pages_are_written_for_all_stacks(tmp_path: Path) -> None:
    """One Markdown file and one HTML page, the stacks in the order in which they were named."""
    docs("--stack", "staging", "--stack", "production", "--output", str(tmp_path / "site"))
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["history.md", "index.html"]
    html = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert html.index("<h2>staging</h2>") < html.index("<h2>production</h2>")
    assert "## staging" in (tmp_path / "site" / "history.md").read_text(encoding="utf-8")


def test_without_a_folder_the_pages_go_where_reports_go(tmp_path: Path) -> None:
    """The default folder is one that git ignores."""
    docs("--stack", "staging")
    assert (tmp_path / "reports" / "docs" / "index.html").exists()


def test_the_job_summary_is_appended_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other steps wrote stays."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    docs("--stack", "staging", "--summary")
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("before\n# Releases")
    assert "rolled back" in text


def test_a_summary_outside_of_a_job_is_refused(tmp_path: Path) -> None:
    """Nothing is written then."""
    docs("--stack", "staging", "--summary", code=2)
    assert not (tmp_path / "reports").exists()


def test_json_has_keys_events_and_state_and_writes_no_file(tmp_path: Path) -> None:
    """For scripts: the same data, the newest event first."""
    document = json.loads(docs("--stack", "production", "--json"))
    (stack,) = document["stacks"]
    assert stack["four_keys"][0]["name"] == "deployment frequency"
    assert (len(stack["events"]), stack["events"][0]["kind"]) == (7, "revert")
    assert stack["state"]["release"] == "v3-0"
    assert not (tmp_path / "reports").exists()


def test_a_stack_whose_hosts_cannot_be_asked_has_its_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem is said instead of a state."""

    def fail(_stack: str) -> Any:
        raise HostUnreachableError("no key")

    monkeypatch.setattr(docs_module, "read_status", fail)
    (stack,) = json.loads(docs("--stack", "production", "--json"))["stacks"]
    assert (stack["state"], stack["problem"], len(stack["events"])) == (None, "no key", 7)


def test_a_stack_that_is_not_there_yet_is_a_page_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of the other stacks do not wait for its first release."""

    def fail(*_: object) -> Any:
        raise NoStackError("the backend s3://acp has no stack production")

    monkeypatch.setattr(docs_module, "read_status", fail)
    monkeypatch.setattr(docs_module, "read_events", fail)
    (stack,) = json.loads(docs("--stack", "production", "--json"))["stacks"]
    assert (stack["problem"], stack["events"]) == ("the backend s3://acp has no stack production", [])


def test_hosts_that_are_missing_in_the_history_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error."""
    read = ReadEvents(events=[], unasked=("h2 was not asked: it is gone",))
    monkeypatch.setattr(docs_module, "read_events", lambda _stack, _clients: read)
    assert "h2 was not asked: it is gone" in CliRunner().invoke(main, ["docs", "--stack", "staging", "--json"]).stderr
