from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.k6 import run_k6
from infra.checks.load import SCRIPTS, job_of, states_of
from infra.domain.load_plan import Addresses, chosen, plan_of
from infra.domain.load_report import Reading, missed, unmeasured
from infra.settings.load_profiles import Profile
from tests.support.fake_app import RELEASE, FakeApp, served
from tests.support.settings import make_settings, services

if TYPE_CHECKING:
    from pathlib import Path

RUN_SECONDS = 120
PAGE = "<!doctype html><title>Maintenance</title>"
OWN_JOB = {"request_type": "analysis", "requirements": {"points": ["Read this: {text}"], "depth": 2}}


@dataclass(slots=True)
class OtherApp(FakeApp):
    """An app that keeps the contract with fields of its own; `pages` are paths that it answers with a web page."""

    status: str = "completed"
    results: tuple[int, Any] = (200, {"summary": "it says so"})
    pages: tuple[str, ...] = ()
    bodies: list[Any] = field(default_factory=list)
    states: dict[str, Any] = field(default_factory=dict)

    def answer(self, service: str, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and body of one request; a job is known by an id of its own, and refused without its fields."""
        self.asked.append(f"{method} {path}")
        if path.startswith(self.pages) and method != "DELETE":
            return 200, PAGE
        if path in self.states:
            return 200, self.states[path]
        if service != "acp-agents" or not path.startswith("/api/v1/jobs"):
            return super(OtherApp, self).answer(service, method, path, body)
        if method == "POST":
            self.bodies.append(body)
            return (202, {"id": 7, "status": "pending"}) if set(body) == set(OWN_JOB) else (422, {"detail": "fields"})
        if method == "DELETE":
            return 405, {"detail": "Method Not Allowed"}
        return self.results if path.endswith("/results") else (200, {"id": 7, "status": self.status})


def run(app: FakeApp, scenario: str, *, scripts: Path = SCRIPTS, **asked: Any) -> list[str]:
    """Put an app under an arrival or two of a scenario and return what was missed and each check that did not hold."""
    limits = {"smoke": "paste", "ingest": "paste", "search": "search", "agents": "start_job"}
    # The app is a thread of these tests: only how it answers counts, not how fast.
    load = {"rate": 1, "max_p95_ms": {limits[scenario]: 30000}}
    profile = Profile.model_validate({"duration_seconds": 1, "scenarios": {scenario: load}})
    settings = make_settings(checks={"smoke": {"job": OWN_JOB}}, services=services(**asked))
    with served(app) as ports:
        urls = {kind: [f"http://127.0.0.1:{ports[f'acp-{kind}']}"] for kind in ("ingest", "agents")}
        addresses = Addresses(services=urls, hosts={}, host_header=None)
        plan = plan_of(profile, chosen(profile, scenario), addresses, RELEASE, job_of(settings), states_of(settings))
        summary = run_k6(scripts / f"{scenario}.js", plan, timeout_seconds=RUN_SECONDS)
    readings = {name: Reading(kind=m.type, values=m.values, held=m.thresholds) for name, m in summary.metrics.items()}
    wanted = plan["options"]["thresholds"]
    assert unmeasured(wanted, readings) == []
    return missed(wanted, readings) + [check.name for check in summary.failed_checks]


def test_an_app_with_fields_of_its_own_stands_its_load() -> None:
    """The job is the stack's, with the arrival's text in its places; results may be of any form."""
    app = OtherApp()
    assert run(app, "agents") == []
    for body in app.bodies:
        (point,) = body["requirements"]["points"]
        assert point.startswith("Read this: Revenue of the quarter ")
        assert "{text}" not in point
        assert body["requirements"]["depth"] == 2


def test_the_smoke_scenario_asks_about_what_it_pasted() -> None:
    """One path of a user: the text of the document is the text of the job."""
    app = OtherApp()
    assert run(app, "smoke") == []
    asked = {point for body in app.bodies for point in body["requirements"]["points"]}
    assert asked == {f"Read this: {text}" for text in app.documents.values()}


def test_the_smoke_scenario_asks_as_the_stack_does() -> None:
    """Paths, fields and values of health and readiness are the app's, also a value that is none of text."""
    app = OtherApp(states={"/healthz": {"state": {"code": "OK"}}, "/up": {"up": True}})
    asked: dict[str, Any] = {
        "health": {"path": "/healthz", "field": "state.code", "equals": "OK"},
        "readiness": {"path": "/up", "field": "up", "equals": "true"},
    }
    assert run(app, "smoke", **asked) == []
    app.states["/up"] = {"up": None}
    assert "ready: says true" in run(app, "smoke", **asked)


@pytest.mark.parametrize("results", [(404, {"detail": "not completed"}), (202, {"questions": ["Which quarter?"]})])
def test_a_job_that_asks_back_has_answered(results: tuple[int, Any]) -> None:
    """It ends the wait, and its results need not be there yet."""
    assert run(OtherApp(status="awaiting_answers", results=results), "agents") == []


def test_an_app_that_fails_at_early_results_is_noticed() -> None:
    """A job may have no results yet, but an error of the server is no refusal."""
    found = run(OtherApp(status="awaiting_answers", results=(500, {})), "agents")
    assert "job_results: is no server error" in found
    assert any(problem.startswith("http_req_failed{scenario:agents,name:job_results") for problem in found)


def test_an_answer_of_another_release_is_noticed() -> None:
    """Every answer of an arrival tells its release, early results too."""
    found = run(OtherApp(status="awaiting_answers", release="v1.4.1-0a1b2c3d"), "agents")
    names = ("start_job", "job", "job_results")
    assert [problem for problem in found if "expected" in problem] == [
        f"{n}: is of the expected release" for n in names
    ]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_failed_is_noticed_at_once(status: str) -> None:
    """It is not followed to the end of its time, and not asked for results."""
    app = OtherApp(status=status)
    found = run(app, "agents")
    assert app.asked.count("GET /api/v1/jobs/7") == len(app.bodies)
    assert not any(asked.endswith("/results") for asked in app.asked)
    assert "job: is answered" in found
    assert any(problem.startswith("checks{scenario:agents}: rate>=1") for problem in found)


@pytest.mark.parametrize("results", [(404, {}), (200, PAGE), (200, "null")])
def test_a_completed_job_must_have_results(results: tuple[int, Any]) -> None:
    """Its results are an answer with a status of success, in JSON."""
    found = run(OtherApp(results=results), "agents")
    assert {"job_results: is 2xx", "job_results: is JSON"} & set(found)
    assert any(problem.startswith("checks{scenario:agents}: rate>=1") for problem in found)


@pytest.mark.parametrize(
    ("scenario", "page", "checks"),
    [
        ("search", "/api/v1/search", ["search: is JSON", "search: finds the document"]),
        ("ingest", "/api/v1/ingest/paste", ["paste: is JSON", "paste: names a job"]),
        ("agents", "/api/v1/jobs", ["start_job: is JSON", "start_job: names a job"]),
        ("smoke", "/health/ready", ["ready: is JSON", "ready: says ready"]),
    ],
)
def test_a_web_page_is_no_answer(scenario: str, page: str, checks: list[str]) -> None:
    """A 200 that is not JSON fails its checks and what follows from it, in every scenario."""
    found = run(OtherApp(pages=(page,)), scenario)
    assert set(checks) <= set(found)
    assert any(problem.startswith(f"checks{{scenario:{scenario}}}: rate>=1") for problem in found)


def test_an_answer_without_its_members_is_noticed() -> None:
    """JSON of another shape fails the check that reads it, and the arrival goes on: what it made is removed."""
    app = OtherApp(broken={"search shape"})
    assert "search: finds the document" in run(app, "smoke")
    assert len(app.removed) == len(app.documents)
    assert "paste: names a job" in run(OtherApp(broken={"paste without a job"}), "ingest")


def test_arrivals_that_check_nothing_do_not_pass(tmp_path: Path) -> None:
    """k6 lets a rate of nothing hold, and counts the arrivals: that no check was recorded is missed all the same."""
    shutil.copytree(SCRIPTS / "lib", tmp_path / "lib")
    (tmp_path / "search.js").write_text(
        "export { options } from './lib/plan.js';\n"
        "export { handleSummary } from './lib/summary.js';\n"
        "export function search() {}\n",
        encoding="utf-8",
    )
    found = run(OtherApp(), "search", scripts=tmp_path)
    assert "checks{scenario:search}: there was nothing to judge" in found
    assert not any(problem.startswith("iterations") for problem in found)
