from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from infra.cli import load as module
from infra.cli.main import main
from infra.domain.load_report import EndpointFigures, LoadReport, ScenarioFigures
from infra.errors import ToolError
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

RELEASE = "v1.4.2-1a2b3c4d"
OUTPUTS = {
    "release_entry": {"settings": make_settings().of_release()},
    "release": RELEASE,
    "images": {"b": "b@sha256:2", "a": "a@sha256:1"},
}
MISSED = "http_req_duration{scenario:search,name:search}: p(95)<300 (p(95) 912)"
FIGURES = EndpointFigures(
    scenario="search", endpoint="search", requests=3000, failed=0, median_ms=120, p95_ms=912.5, p99_ms=1000,
    max_ms=1001.5, max_p95_ms=300,
)  # fmt: skip


class Runs:
    """Stands for k6: what was asked, and what it misses or raises."""

    def __init__(self) -> None:
        """Miss nothing until told otherwise."""
        self.missed: tuple[str, ...] = ()
        self.error: Exception | None = None
        self.asked: list[dict[str, Any]] = []

    def __call__(self, settings: Any, **asked: Any) -> LoadReport:
        """Report on the release that was asked for."""
        self.asked.append(asked)
        if self.error:
            raise self.error
        return LoadReport(
            stack=settings.stack, release=asked["release"], images=asked["images"], profile=asked["profile"],
            scenario=asked["scenario"], started_at="2026-11-24T10:00:00Z", seconds=61.2, k6="1.8.1",
            missed=self.missed, failed_checks={}, endpoints=(FIGURES,),
            scenarios=(ScenarioFigures(scenario="search", rate=50, iterations=3000, dropped=0),),
        )  # fmt: skip


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    """Replace stack, record and k6; reports go to `tmp_path`."""
    fake, keep = Runs(), module.keep
    monkeypatch.setattr(module, "load", lambda _stack: make_settings())
    monkeypatch.setattr(module, "stack_outputs", lambda _stack: OUTPUTS)
    monkeypatch.setattr(module, "run_load", fake)
    monkeypatch.setattr(module, "keep", lambda report: keep(report, tmp_path))
    monkeypatch.setattr(module, "TICK_SECONDS", 0.001)
    return fake


def load(*arguments: str) -> Result:
    """Run the command on the local stack."""
    return CliRunner().invoke(main, ["load", "--stack", "local", *arguments])


def test_the_serving_release_is_put_under_load(runs: Runs, tmp_path: Path) -> None:
    """Without a scenario all of the profile runs; the verdict comes first, then figures and where they are kept."""
    result = load("--profile", "load")
    assert result.exit_code == 0, result.output
    (asked,) = runs.asked
    assert (asked["release"], asked["profile"], asked["scenario"]) == (RELEASE, "load", "mixed")
    assert asked["images"] == ["a@sha256:1", "b@sha256:2"]
    assert result.stdout.startswith(f"passed: mixed of profile load, {RELEASE}, 61 s")
    assert "912.5" in result.stdout
    assert "search: 3000 arrivals at 50 a second, 0 dropped" in result.stdout
    assert list(tmp_path.rglob("*-load-mixed.json"))
    assert "k6 mixed of profile load: about 60 s" in result.stderr


def test_a_missed_threshold_ends_with_the_code_of_checks(runs: Runs) -> None:
    """What was missed is said and the exit code is 50; the report is kept all the same."""
    runs.missed = (MISSED,)
    result = load("--profile", "load", "--scenario", "search")
    assert result.exit_code == 50
    assert result.stdout.startswith("FAILED: search of profile load")
    assert f"  missed {MISSED}" in result.stdout


def test_with_json_the_report_alone_is_on_standard_output(runs: Runs) -> None:
    """Scripts get the whole report; progress goes to standard error."""
    result = load("--profile", "load", "--json")
    assert json.loads(result.stdout)["endpoints"][0]["p95_ms"] == 912.5


def test_a_run_that_was_not_done_has_the_code_of_tools(runs: Runs) -> None:
    """A missing or killed k6 is an error with its mend, not a failed check."""
    runs.error = ToolError("k6 is not installed", mend="run `acp-release doctor`")
    result = load("--profile", "load")
    assert result.exit_code == 70
    assert "k6 is not installed" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--profile", "lode"], "there is no profile 'lode'"),
        (["--profile", "load", "--scenario", "smoke"], "the profile 'load' has no scenario 'smoke'"),
    ],
)
def test_unknown_names_are_usage(runs: Runs, arguments: list[str], what: str) -> None:
    """They are refused before anything runs."""
    result = load(*arguments)
    assert result.exit_code == 2
    assert what in result.stderr
    assert runs.asked == []


def test_a_stack_without_a_release_has_nothing_to_load(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is run against a stack that serves nothing."""
    monkeypatch.setattr(module, "stack_outputs", lambda _stack: {})
    result = load("--profile", "load")
    assert result.exit_code == 2
    assert "stack local has no release" in result.stderr
