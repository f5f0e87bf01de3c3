from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.app.stack import COMPOSE, docker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.app.stack import Release, Stack

pytestmark = pytest.mark.docker

SCRIPTS = COMPOSE.parent / "k6"
THRESHOLDS_MISSED = 99
# A busy machine must not fail these tests: they are about the scripts, not about the app's speed.
PATIENT = {"ACP_DURATION_SECONDS": "4", "ACP_P95_MS": "30000", "ACP_RATE": "2"}


def run(release: Release, script: str, folder: Path, **settings: str) -> tuple[int, dict[str, Any]]:
    """Run a script against a release and give its exit code and summary."""
    summary = folder / "summary.json"
    environment = {
        "ACP_INGEST_URL": release.url("ingest"),
        "ACP_AGENTS_URL": release.url("agents"),
        "ACP_RELEASE": release.release,
        "ACP_SUMMARY_FILE": str(summary),
        **PATIENT,
        **settings,
    }
    flags = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
    done = subprocess.run(
        ["k6", "run", "--quiet", "--no-usage-report", *flags, str(SCRIPTS / f"{script}.js")],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else {}


def documents(stack: Stack) -> str:
    """Count the documents that k6 left."""
    query = "SELECT count(*) FROM ingest_jobs WHERE origin = 'k6'"
    return docker(
        "exec", stack.core("postgres"), "psql", "--username", "acp", "--tuples-only", "--command", query
    ).strip()


@pytest.mark.parametrize(("script", "requests"), [("smoke", 10), ("ingest", 24), ("search", 8), ("agents", 24)])
def test_a_script_passes_and_removes_its_data(
    stack: Stack, release: Release, tmp_path: Path, script: str, requests: int
) -> None:
    """Each script passes on a good release, sends what it was told to, and leaves no document."""
    code, figures = run(release, script, tmp_path)

    assert (code, figures["failed_thresholds"], figures["failed_checks"]) == (0, [], [])
    assert figures["requests"] >= requests
    assert figures["failed"] == figures["dropped_iterations"] == 0
    assert documents(stack) == "0"


def test_another_release_than_expected_is_noticed(release: Release, tmp_path: Path) -> None:
    """An answer of another release fails the run, even when all else is good."""
    code, figures = run(release, "search", tmp_path, ACP_RELEASE="another")

    assert code != 0
    assert any("expected release" in check["name"] for check in figures["failed_checks"])


def test_a_slow_release_misses_its_threshold(release: Release, tmp_path: Path) -> None:
    """The latency threshold is one that can fail."""
    code, figures = run(release, "search", tmp_path, ACP_P95_MS="0.1")

    assert code == THRESHOLDS_MISSED
    assert any("p(95)" in threshold for threshold in figures["failed_thresholds"])


def test_a_bad_setting_stops_before_any_traffic(release: Release, tmp_path: Path) -> None:
    """A rate of zero would pass everything: it is refused."""
    code, figures = run(release, "search", tmp_path, ACP_RATE="0")

    assert code not in {0, THRESHOLDS_MISSED}
    assert figures == {}
