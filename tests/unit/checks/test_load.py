from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.k6 import Metric, Summary
from infra.checks import load
from infra.checks.load import addresses_of, keep, run_load
from infra.errors import HostUnreachableError, SecretMissingError, ToolError, UsageError
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.domain.load_report import LoadReport

RELEASE = "v1.4.2-1a2b3c4d"
VALUES = {
    "rate": {"rate": 0.0, "passes": 0.0, "fails": 8.0},
    "trend": {"count": 8.0, "med": 4.0, "p(95)": 9.0, "p(99)": 9.5, "max": 10.0},
    "counter": {"count": 8.0, "rate": 4.0},
}
TLS = {"tls": {"certificate_file": "/etc/ssl/acp.pem", "server_name": "copilot.test"}}


def summary_of(plan: Mapping[str, Any], *, without: str = "", missed: str = "") -> Summary:
    """Return what k6 would have measured of a plan, except for one metric, or with one that does not hold."""
    metrics = {}
    for name, texts in plan["options"]["thresholds"].items():
        base = name.partition("{")[0]
        kind: Any = {"checks": "rate", "http_req_failed": "rate", "http_req_duration": "trend"}.get(base, "counter")
        metrics[name] = Metric(type=kind, values=VALUES[kind], thresholds=dict.fromkeys(texts, base != missed))
    return Summary(
        seconds=2.04, metrics={k: m for k, m in metrics.items() if not without or without not in k}, failed_checks=()
    )


@pytest.fixture
def k6(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Replace k6: it measures what the plan asks for, with what `summary_of` is told; return what it was given."""

    def prepare(**bent: str) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []

        def run(script: Path, plan: Mapping[str, Any], **options: Any) -> Summary:
            seen.append({"script": script.name, "plan": plan, **options})
            return summary_of(plan, **bent)

        monkeypatch.setattr(load, "run_k6", run)
        monkeypatch.setattr(load, "require_version", lambda: "1.8.1")
        return seen

    return prepare


def run(scenario: str = "mixed", *, profile: str = "load", **changes: Any) -> LoadReport:
    """Run a load test on the test stack."""
    settings = make_settings(**changes)
    return run_load(settings, release=RELEASE, images=["a@sha256:1"], profile=profile, scenario=scenario, environ={})


def test_a_run_is_what_profile_and_scenario_say(k6: Callable[..., list[dict[str, Any]]]) -> None:
    """The script of the scenario, sized by the profile, about the release, with time for preparing and tidying up."""
    calls = k6()
    run("search")
    (seen,) = calls
    assert (seen["script"], seen["timeout_seconds"], seen["token"]) == ("search.js", 360, "")
    assert list(seen["plan"]["options"]["scenarios"]) == ["search"]
    assert seen["plan"]["release"] == RELEASE


def test_the_job_is_the_one_of_the_smoke_test(k6: Callable[..., list[dict[str, Any]]]) -> None:
    """What the stack says of its agents holds under load: the job's body, the statuses that end it, and its time."""
    calls = k6()
    smoke = {"job": {"request_type": "analysis", "requirements": "{text}"}, "within_seconds": 90, "answered": ["done"]}
    run("agents", checks={"smoke": smoke})
    (seen,) = calls
    assert seen["plan"]["job"] == {
        "body": smoke["job"],
        "answered": ["done"],
        "failed": ["canceled", "cancelled", "error", "failed"],
        "timeout_seconds": 90,
    }
    assert seen["timeout_seconds"] == 60 + 5 * 110


def test_the_report_names_release_digests_and_figures(k6: Callable[..., list[dict[str, Any]]]) -> None:
    """Everything that a later reader needs to know what was measured."""
    k6()
    report = run().to_json()
    assert (report["passed"], report["release"], report["images"]) == (True, RELEASE, ["a@sha256:1"])
    assert (report["profile"], report["scenario"], report["seconds"], report["k6"]) == ("load", "mixed", 2.04, "1.8.1")
    assert {row["scenario"] for row in report["endpoints"]} == {"ingest", "search", "agents"}


def test_a_missed_threshold_fails_the_report(k6: Callable[..., list[dict[str, Any]]]) -> None:
    """What k6 judged bad is in the report, by scenario and endpoint."""
    k6(missed="dropped_iterations")
    report = run("search")
    assert not report.passed
    assert report.missed == ["dropped_iterations{scenario:search}: count==0 (count 8)"]


def test_a_threshold_that_names_no_metric_is_an_error(k6: Callable[..., list[dict[str, Any]]]) -> None:
    """k6 measured something else than it was asked: there is no report."""
    k6(without="http_req_failed")
    with pytest.raises(ToolError, match=r"http_req_failed.*names no metric of the run"):
        run("search")


@pytest.mark.parametrize(
    ("scenario", "profile", "what"),
    [
        ("mixed", "lode", "there is no profile 'lode'"),
        ("serch", "load", "there is no scenario 'serch'"),
        ("smoke", "load", "the profile 'load' has no scenario 'smoke'"),
    ],
)
def test_what_there_is_not_is_refused(scenario: str, profile: str, what: str) -> None:
    """An unknown name is an error that lists the known ones, before k6 is looked for."""
    with pytest.raises(UsageError, match=what) as caught:
        run(scenario, profile=profile)
    assert "load" in caught.value.mend or "ingest, search, agents, mixed" in caught.value.mend


def test_hosts_are_asked_by_their_public_ports() -> None:
    """Without TLS each host has its own address."""
    found = addresses_of(make_settings())
    assert found.services == {
        "ingest": ["http://127.0.11.11:8000", "http://127.0.11.12:8000"],
        "agents": ["http://127.0.11.11:8001", "http://127.0.11.12:8001"],
    }
    assert (found.hosts, found.host_header) == ({}, None)


def test_behind_tls_hosts_are_told_apart_by_port() -> None:
    """All are asked under the certificate's name; k6 is told which port of that name is really which host."""
    found = addresses_of(make_settings(edge=TLS))
    assert found.services["agents"] == ["https://copilot.test:10001", "https://copilot.test:10003"]
    assert found.hosts == {
        "copilot.test:10000": "127.0.11.11:8000",
        "copilot.test:10001": "127.0.11.11:8001",
        "copilot.test:10002": "127.0.11.12:8000",
        "copilot.test:10003": "127.0.11.12:8001",
    }
    assert found.host_header == "copilot.test"


def test_a_host_without_an_address_is_named() -> None:
    """A name that does not resolve is an error about that host."""
    hosts = [{**make_settings().hosts[0].model_dump(), "address": "host..invalid"}]
    with pytest.raises(HostUnreachableError, match=r"h1: host\.\.invalid has no address"):
        addresses_of(make_settings(edge=TLS, hosts=hosts))


@pytest.mark.parametrize("name", ["acp-worker", "acp-nothing"])
def test_a_service_that_is_not_there_is_named(name: str) -> None:
    """A stack whose services have other names must say so, and one without a public port is none to put under load."""
    with pytest.raises(UsageError, match=f"no web service '{name}'"):
        addresses_of(make_settings(checks={"ingest_service": name}))


def test_a_token_comes_from_the_environment(k6: Callable[..., list[dict[str, Any]]]) -> None:
    """Where a stack names a variable, the requests carry its value; without a value nothing begins."""
    seen = k6()
    settings = make_settings(load={"token_name": "LOAD_TOKEN"})
    what: Any = {"release": RELEASE, "images": [], "profile": "smoke"}
    run_load(settings, **what, environ={"LOAD_TOKEN": "s3cr3t"})
    assert seen[0]["token"] == "s3cr3t"
    assert "s3cr3t" not in json.dumps(seen[0]["plan"])
    with pytest.raises(SecretMissingError, match="LOAD_TOKEN is not set"):
        run_load(settings, **what, environ={})


def test_reports_are_kept_by_release(k6: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    """Each run of a release has a file of its own."""
    k6()
    report = run("search")
    path = keep(report, tmp_path)
    assert path.parent == tmp_path / "local" / RELEASE
    assert path.name.endswith("Z-load-search.json")
    assert keep(report, tmp_path) == path
    assert json.loads(path.read_text(encoding="utf-8"))["release"] == RELEASE
