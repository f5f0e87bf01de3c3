from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters import k6
from infra.adapters.k6 import PINNED, k6_argv, read_summary, require_version, run_k6
from infra.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "s3cr3t-token"
SCRIPT = Path("/project/k6/search.js")
PLAN = {"release": "v1.4.2-1a2b3c4d", "options": {"scenarios": {}}}
HELD = {"type": "counter", "values": {"count": 12.0}, "thresholds": {"count>=10": True}}
GOOD = {"seconds": 3.2, "metrics": {"http_reqs{scenario:search}": HELD}, "failed_checks": []}
MISSED = {**GOOD, "metrics": {"http_reqs{scenario:search}": {**HELD, "thresholds": {"count>=10": False}}}}
PROGRAM = """#!/bin/sh
if [ "$1" = version ]; then echo "{version}"; exit 0; fi
env >"{folder}/env"
printf '%s\\n' "$@" >"{folder}/argv"
[ -f "{folder}/summary" ] && cp "{folder}/summary" "$ACP_SUMMARY_FILE"
echo "level=info msg=begun" >&2
echo "level=error msg=\\"cannot do $ACP_TOKEN\\"" >&2
{end}
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a maker of a k6 of the given version that leaves a summary and ends with a status, or with a signal."""

    def make(*, version: str = f"k6 v{PINNED} (go1.26)", summary: Any = GOOD, end: str = "exit 0") -> Path:
        if summary is not None:
            text = summary if isinstance(summary, str) else json.dumps(summary)
            (tmp_path / "summary").write_text(text, encoding="utf-8")
        program = tmp_path / "k6"
        program.write_text(PROGRAM.format(version=version, folder=tmp_path, end=end), encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setattr(k6, "tool", lambda _name: str(program))
        return tmp_path

    return make


def run() -> k6.Summary:
    """Run the script with a token."""
    return run_k6(SCRIPT, PLAN, timeout_seconds=20, token=TOKEN)


def test_the_command_line_has_nothing_but_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses, rates and secrets are not in the arguments, which every user of the machine can read."""
    monkeypatch.setattr(k6, "tool", lambda name: name)
    assert k6_argv(SCRIPT) == ["k6", "run", "--quiet", "--no-usage-report", "--no-color", "/project/k6/search.js"]


def test_a_run_gets_its_plan_and_token_by_environment(
    fake: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """k6 sees plan, token and where to write, and none of the runner's other variables."""
    monkeypatch.setenv("LOCAL_DATABASE_URL", "postgresql://s3cr3t")
    folder = fake()
    summary = run()
    assert summary.metrics["http_reqs{scenario:search}"].values == {"count": 12.0}
    seen = dict(line.split("=", 1) for line in (folder / "env").read_text("utf-8").splitlines() if "=" in line)
    assert json.loads(seen["ACP_PLAN"]) == PLAN
    assert seen["ACP_TOKEN"] == TOKEN
    assert "LOCAL_DATABASE_URL" not in seen
    assert TOKEN not in (folder / "argv").read_text("utf-8")


def test_missed_thresholds_are_a_result(fake: Callable[..., Path]) -> None:
    """Status 99 with a summary that says the same is a run that was done and judged."""
    fake(summary=MISSED, end="exit 99")
    assert run().metrics["http_reqs{scenario:search}"].thresholds == {"count>=10": False}


@pytest.mark.parametrize(
    ("status", "summary", "what"),
    [
        pytest.param(0, MISSED, "status 0, but its summary has 1 missed", id="passed against its own summary"),
        pytest.param(99, GOOD, "status 99, but its summary has 0 missed", id="failed against its own summary"),
    ],
)
def test_a_status_that_contradicts_the_summary_is_an_error(
    fake: Callable[..., Path], status: int, summary: Any, what: str
) -> None:
    """Neither is believed over the other."""
    fake(summary=summary, end=f"exit {status}")
    with pytest.raises(ToolError, match=what):
        run()


@pytest.mark.parametrize(
    ("end", "status"),
    [("exit 104", 104), ("exit 107", 107), ("exit 108", 108), ("exit 1", 1), ("kill -9 $$", -9), ("kill -15 $$", -15)],
)
def test_a_run_that_was_not_done_is_an_error(fake: Callable[..., Path], end: str, status: int) -> None:
    """Bad options, an exception, an abort or a killed k6 never pass; what k6 said last is shown without the token."""
    fake(end=end)
    with pytest.raises(ToolError, match=rf"exit status {status}\).*cannot do \[redacted\]"):
        run()


@pytest.mark.parametrize(
    ("summary", "what"),
    [
        pytest.param(None, "left no summary", id="missing"),
        pytest.param("", "is not JSON", id="empty file"),
        pytest.param("{", "is not JSON", id="cut off"),
        pytest.param({}, "3 problems", id="empty"),
        pytest.param({**GOOD, "metrics": {}}, "metrics", id="without metrics"),
        pytest.param({**GOOD, "seconds": 0}, "seconds", id="took no time"),
        pytest.param({**GOOD, "more": 1}, "more", id="another shape"),
        pytest.param(
            {**GOOD, "metrics": {"a": {**HELD, "values": {"p(95)": None}}}}, "metrics.a", id="a figure that is none"
        ),
        pytest.param({**GOOD, "metrics": {"a": {**HELD, "type": "histogram"}}}, "metrics.a.type", id="unknown kind"),
    ],
)
def test_an_unreadable_summary_is_an_error(fake: Callable[..., Path], summary: Any, what: str) -> None:
    """A run whose figures cannot be read has not passed, whatever its exit status."""
    fake(summary=summary)
    with pytest.raises(ToolError, match=what):
        run()


def test_only_the_pinned_version_counts(fake: Callable[..., Path]) -> None:
    """The pinned version is returned; any other is refused, newer ones too, as figures would not compare."""
    fake()
    assert require_version() == PINNED
    for version in ("k6 v1.8.0", "k6 v1.9.0", "k6 v2.0.0", "k6"):
        fake(version=version)
        with pytest.raises(ToolError, match=f"not {PINNED}"):
            require_version()


def test_a_missing_k6_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without k6 there is no verdict."""
    monkeypatch.setattr(k6, "tool", lambda _name: "/nowhere/k6")
    with pytest.raises(ToolError, match="not installed"):
        require_version()


def test_a_run_that_does_not_end_is_given_up(fake: Callable[..., Path]) -> None:
    """After its time k6 is killed, which is an error."""
    fake(end="exec sleep 30")
    with pytest.raises(ToolError, match=r"did not finish in 0\.3 s"):
        run_k6(SCRIPT, PLAN, timeout_seconds=0.3)


def test_a_summary_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """The reason of the system is in the message."""
    with pytest.raises(ToolError, match="No such file"):
        read_summary(tmp_path / "none.json")


def test_the_hosts_own_authority_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """k6 gets the stack's authority instead of whatever the runner trusts, and nothing where there is none."""
    monkeypatch.setenv("SSL_CERT_FILE", "/runner.pem")
    summary = tmp_path / "summary.json"
    assert k6._environment({}, summary, "", tmp_path / "ca.pem")["SSL_CERT_FILE"] == str(tmp_path / "ca.pem")
    assert k6._environment({}, summary, "", None)["SSL_CERT_FILE"] == "/runner.pem"
