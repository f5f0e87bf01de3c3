from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from junitparser import JUnitXml
from rich.console import Console

from infra.checks.occasion import BY_HAND, SMOKE_BY_HAND
from infra.checks.result import CheckResult
from infra.checks.suite import Examination
from infra.cli import verdict
from infra.cli.main import main
from infra.errors import SecretMissingError
from infra.settings.secrets import SecretValues
from tests.support.settings import make_settings, service, services

if TYPE_CHECKING:
    from pathlib import Path

    from infra.checks.occasion import Occasion
    from infra.checks.subject import Subject

GOOD = CheckResult(
    check="health", target="acp-ingest on h1", passed=True, asked="GET /health", came="status is healthy", seconds=0.1
)
SPEC = {"services": [{"name": "acp-ingest", "replicas": 1}, {"name": "acp-agents", "replicas": 2}]}
OUTPUTS = {"release": "v2-0", "release_entry": {"spec": SPEC, "settings": make_settings().of_release()}}
BAD = CheckResult(
    check="queue", target="acp-ingest on h1", passed=False, asked="GET [x]", came="pending", seconds=8.0,
    look_at="the worker's log", dependencies=("acp-worker",),
)  # fmt: skip
FOLLOWS = CheckResult(
    check="search", target="acp-ingest on h1", passed=False, asked="POST /", came="status 503", seconds=0.2,
    dependencies=("acp-ingest",), follows_from=("database",),
)  # fmt: skip
WARNING = CheckResult(
    check="disk_space", target="h1", passed=False, asked="hostctl resources", came="1 GiB", seconds=0.2,
    dependencies=("disk_space",), severity="warning",
)  # fmt: skip


@dataclass(slots=True)
class Suite:
    """Stands for the checks over the network."""

    results: tuple[CheckResult, ...] = ()
    asked: list[tuple[Subject, Occasion]] = field(default_factory=list)

    def examine(self, subject: Subject, occasion: Occasion) -> Examination:
        """Answer as told."""
        self.asked.append((subject, occasion))
        return Examination(results=self.results, seconds=1.5)


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Let the stack be the test stack with a release, and the checks answer as told."""
    found = Suite()
    monkeypatch.setattr(verdict, "load", lambda _stack: make_settings())
    monkeypatch.setattr(verdict, "stack_outputs", lambda _stack: OUTPUTS)
    monkeypatch.setattr(verdict, "host_clients", lambda _settings: [])
    monkeypatch.setattr(verdict, "read_secrets", lambda *_, **__: SecretValues(values={"OPENAI_API_KEY": "s3cr3t"}))
    monkeypatch.setattr(verdict, "examine", found.examine)
    return found


def run(*arguments: str, code: int = 0) -> str:
    """Run `acp-release` and return its standard output."""
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.mark.parametrize(
    ("results", "code", "faults"),
    [
        pytest.param((GOOD,), 0, [], id="good"),
        pytest.param((GOOD, WARNING), 0, ["disk_space"], id="warning"),
        pytest.param((GOOD, FOLLOWS, WARNING, BAD), 50, ["acp-worker", "disk_space"], id="bad"),
        pytest.param((), 50, [], id="nothing was asked"),
    ],
)
def test_the_exit_code_is_the_verdict(
    suite: Suite, results: tuple[CheckResult, ...], code: int, faults: list[str]
) -> None:
    """Good or a warning: 0; a critical failure, or nothing asked at all: 50; what is at fault is named."""
    suite.results = results
    document = json.loads(run("check", "--stack", "local", "--json", code=code))
    assert (document["passed"], document["at_fault"]) == (code == 0, faults)
    assert (document["stack"], document["release"], document["seconds"]) == ("local", "v2-0", 1.5)
    assert len(document["checks"]) == len(results)


def test_the_recorded_release_is_asked_as_it_was_released(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a rollback the checkout may have services that the release has not."""
    suite.results = (GOOD,)
    today = make_settings(
        services={**services(), "acp-more": service(compose_service="more", routes={"public_port": 9})}
    )
    monkeypatch.setattr(verdict, "load", lambda _stack: today)
    run("check", "--stack", "local")
    run("check", "--stack", "local", "--release", "v3-0")
    asked = [set(subject.settings.services) for subject, _ in suite.asked]
    assert asked == [set(services()), {*services(), "acp-more"}]


def test_the_table_says_what_is_at_fault(suite: Suite) -> None:
    """A failure has what was asked, what came, whom it points to and where to look; a consequence says of what."""
    suite.results = (GOOD, FOLLOWS, BAD)
    text = run("check", "--stack", "local", code=50)
    for cell in ("FAILED", "GET [x]", "pending", "acp-worker", "the worker's log", "follows from database"):
        assert cell in text
    assert "v2-0: 2 of 3 failed in 1.5 s; at fault: acp-worker" in text


def test_a_command_to_look_at_can_be_typed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the stack, and stands on one line on a narrow screen."""
    suite.results = (replace(BAD, look_at="is it running? `acp-release status --stack STACK`"),)
    monkeypatch.setattr(verdict, "console", lambda: Console(soft_wrap=True, width=80))
    assert "is it running? `acp-release status --stack local`\n" in run("check", "--stack", "local", code=50)
    document = json.loads(run("check", "--stack", "local", "--json", code=50))
    assert document["checks"][0]["look_at"].endswith("--stack local`")


@pytest.mark.parametrize(("command", "occasion"), [("check", BY_HAND), ("smoke", SMOKE_BY_HAND)])
def test_the_recorded_release_is_asked(suite: Suite, command: str, occasion: Occasion) -> None:
    """Each command asks its own checks of the release that the record names, with the stack's secrets."""
    suite.results = (GOOD,)
    run(command, "--stack", "local")
    ((subject, asked),) = suite.asked
    assert asked == occasion
    assert {target.release for target in subject.targets} == {subject.release} == {"v2-0"}
    assert subject.replicas == {"acp-ingest": 1, "acp-agents": 2}
    assert subject.secrets == {"OPENAI_API_KEY": "s3cr3t"}


def test_another_release_can_be_asked_for(suite: Suite) -> None:
    """With `--release` that one must serve."""
    suite.results = (GOOD,)
    run("check", "--stack", "local", "--release", "v1-0")
    assert (suite.asked[0][0].release, suite.asked[0][0].replicas) == ("v1-0", {})


def test_without_secrets_the_rest_is_asked(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the stack's secrets can check it: what needs them says so."""

    def missing(*_: object, **__: object) -> None:
        raise SecretMissingError("the environment", ["X is not set"])

    monkeypatch.setattr(verdict, "read_secrets", missing)
    suite.results = (GOOD,)
    run("check", "--stack", "local")
    assert suite.asked[0][0].secrets == {}


def test_a_stack_without_a_release_is_not_green(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first release there is nothing to check, and that is said."""
    monkeypatch.setattr(verdict, "stack_outputs", lambda _stack: {})
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://acp")
    result = CliRunner().invoke(main, ["check", "--stack", "local"])
    assert result.exit_code == 50
    assert "has released nothing yet" in result.stderr
    assert "where: the backend s3://acp\n" in result.stderr


def test_junit_has_a_case_for_every_result(suite: Suite, tmp_path: Path) -> None:
    """A critical failure is a failure with its fault, a warning passes and says so."""
    suite.results = (GOOD, BAD, WARNING)
    path = tmp_path / "reports" / "checks.xml"
    run("check", "--stack", "local", "--junit", str(path), code=50)
    xml = JUnitXml.fromfile(str(path))
    assert (xml.tests, xml.failures) == (3, 1)
    (cases,) = xml
    good, bad, warning = cases
    assert good.result == []
    assert bad.result[0].message == "acp-worker: pending"
    assert str(BAD) in bad.result[0].text
    assert warning.result == []
    assert "warning disk_space of h1" in warning.system_out
