"""Releases that work, but not well enough: too slow, under load, or with a leak; each is stopped before the commit."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from infra.errors import CheckError
from tests.faults.candidates import with_fault
from tests.support.host_view import views
from tests.support.overrides import merged
from tests.support.traffic import INGEST_PORT, loss, release_at, traffic

if TYPE_CHECKING:
    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

HEALTH_LIMIT_MS = 0.001


def test_a_candidate_that_is_400_ms_slower_gets_no_traffic(world: World, first: FirstRelease) -> None:
    """The comparison with the running release refuses it, says which request by how much, and nobody notices."""
    (host,) = world.settings.hosts
    before = release_at(host, INGEST_PORT)
    world.configure(with_fault("slow:400"))
    try:
        with traffic(host) as prober:
            result = world.up()
    finally:
        world.configure()
    assert not result.good
    assert "the candidate is not as good as the current release" in result.output, result.tail(40)
    found = re.search(r"worse: acp-ingest POST /api/v1/search: slower: \+([\d.]+) ms", result.output)
    assert found, result.tail(40)
    assert float(found[1]) == pytest.approx(400, rel=0.2)
    assert release_at(host, INGEST_PORT) == before
    assert {answer.release for answer in prober.answers} == {before}
    assert loss(prober.answers).lost == 0, loss(prober.answers).shown
    (view,) = views(world)
    view.wait_settled()
    assert view.problems() == []


def test_a_release_that_does_not_stand_its_load_is_reverted(world: World, first: FirstRelease) -> None:
    """With a profile after the release, a missed threshold brings the release before back and names the endpoint."""
    (host,) = world.settings.hosts
    before = release_at(host, INGEST_PORT)
    scenario = {"rate": 1, "max_p95_ms": {"health": HEALTH_LIMIT_MS}}
    profile = {"duration_seconds": 1, "scenarios": {"smoke": scenario}}
    world.configure(
        {
            "environment": {"TEST_MARK": "under load"},
            "load": {"after_release": "strict", "profiles": {"strict": profile}},
        }
    )
    try:
        result = world.up()
    finally:
        world.configure()
    assert not result.good
    assert "the release does not stand the load of profile strict" in result.output, result.tail(40)
    assert "missed http_req_duration{scenario:smoke,name:health,release:" in result.output, result.tail(40)
    assert "candidate compared with the current release" in result.output
    assert release_at(host, INGEST_PORT) == before


def test_a_release_that_leaks_is_reverted(world: World, first: FirstRelease) -> None:
    """Memory that grows while the release is under load is a leak, long before it is used up; the report says so."""
    (host,) = world.settings.hosts
    before = release_at(host, INGEST_PORT)
    scenario = {"rate": 10, "max_p95_ms": {"search": 30_000}, "max_failed_rate": 0.5}
    soak = {"duration_seconds": 40, "scenarios": {"search": scenario}}
    watched = {
        "load": {"after_release": "soak", "profiles": {"soak": soak}},
        "resources": {"interval_seconds": 1, "soak_seconds": 20, "soak_samples": 10},
    }
    world.configure(merged(with_fault("leak:0.25"), watched))
    try:
        with traffic(host, rate=10) as prober:
            result = world.up()
    finally:
        world.configure()
    assert not result.good
    assert "breach: growth of acp-" in result.output, result.tail(40)
    assert release_at(host, INGEST_PORT) == before
    assert loss(prober.answers).lost == 0, loss(prober.answers).shown
    assert "breach: growth of acp-" in world.newest_report("html")


def test_the_serving_release_is_put_under_load_by_hand(world: World, first: FirstRelease) -> None:
    """`acp-release load` passes on a good release, judges every endpoint, and keeps its report under the release."""
    release = release_at(world.settings.hosts[0], INGEST_PORT)
    result = world.command("load", "--stack", "local", "--profile", "smoke", "--json")
    report = json.loads(result.output)
    assert (report["release"], report["k6"], report["failed_checks"]) == (release, "1.8.1", {})
    assert result.exit_status == (0 if report["passed"] else CheckError.exit_code)
    # A busy machine may be slower than the profile allows; anything else is a fault of the run.
    assert all(" p(95)<" in f" {text}".replace(": ", " ") for text in report["missed"]), report["missed"]
    assert len(report["endpoints"]) == 10
    (kept,) = (world.path / "reports" / "load" / "local" / str(release)).glob("*-smoke-mixed.json")
    assert json.loads(kept.read_text(encoding="utf-8")) == report
