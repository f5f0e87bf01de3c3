from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.domain.load_report import LoadReport
from infra.errors import CheckError
from infra.rollout import load
from infra.rollout.load import load_release
from tests.support.fake_hostctl import SECRETS, make_stage
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.settings import Settings

THRESHOLD = "http_req_duration{scenario:search,name:search}: p(95)<600 (p(95) 900)"


class FakeRun:
    """Stands for k6: what was asked, and what it missed."""

    def __init__(self) -> None:
        """Miss nothing until told otherwise."""
        self.missed: list[str] = []
        self.asked: list[dict[str, Any]] = []

    def __call__(self, settings: Settings, **asked: Any) -> LoadReport:
        """Report on the release that was asked for."""
        self.asked.append(asked)
        return LoadReport(
            stack=settings.stack, release=asked["release"], images=asked["images"], profile=asked["profile"],
            scenario="mixed", started_at="2026-11-24T10:00:00Z", seconds=15, k6="1.8.1", missed=self.missed,
            failed_checks={}, scenarios=(), endpoints=(),
        )  # fmt: skip


@pytest.fixture
def k6(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeRun:
    """Replace k6, and keep reports out of the checkout."""
    fake = FakeRun()
    keep = load.keep
    monkeypatch.setattr(load, "run_load", fake)
    monkeypatch.setattr(load, "keep", lambda report: keep(report, tmp_path))
    return fake


def run(shown: list[str], after_release: str | None) -> tuple[str, list[dict[str, Any]]]:
    """Put a release under the load of a stack and return its id and the reports."""
    settings = make_settings(
        secrets={"prefix": "LOCAL_", "names": list(SECRETS)}, load={"after_release": after_release}
    )
    context = make_stage(settings).context
    return context.release, load_release(context, shown.append)


def test_a_stack_without_a_profile_makes_no_load(k6: FakeRun, shown: list[str]) -> None:
    """Nothing is run and nothing reported."""
    assert run(shown, None)[1] == []
    assert k6.asked == []


def test_the_profile_of_the_stack_is_run_against_the_candidate(k6: FakeRun, shown: list[str], tmp_path: Path) -> None:
    """The report is about this release and its digests, and is kept and returned."""
    release, (report,) = run(shown, "light")
    (asked,) = k6.asked
    assert (asked["release"], asked["profile"]) == (release, "light")
    assert all("@sha256:" in image for image in asked["images"])
    assert report["passed"] is True
    assert [path.parent.name for path in tmp_path.rglob("*.json")] == [release]
    assert shown == ["  k6: profile light, about 15 s"]


def test_a_missed_threshold_fails_the_release_with_its_name(k6: FakeRun, shown: list[str], tmp_path: Path) -> None:
    """The error says what was missed and where the report is; the report is kept all the same."""
    k6.missed = [THRESHOLD]
    with pytest.raises(CheckError) as caught:
        run(shown, "light")
    assert f"missed {THRESHOLD}" in caught.value.what
    assert [str(path) for path in tmp_path.rglob("*.json")] == [caught.value.where]
