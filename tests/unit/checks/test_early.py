from __future__ import annotations

import pytest

from infra.checks.early import hand_in_jobs, take_back_jobs
from infra.checks.occasion import CANDIDATE
from tests.support.examined import run
from tests.support.fake_app import FakeApp, served
from tests.support.subject import make_subject, quick_settings


def handed_in(app: FakeApp) -> dict[str, str]:
    """Hand a job in to the fake app."""
    with served(app) as ports:
        return hand_in_jobs(make_subject(quick_settings(ports)))


def test_the_smoke_test_follows_a_job_that_was_handed_in() -> None:
    """The agents are asked once, and the job is kept for the public address like any other."""
    app = FakeApp()
    jobs = handed_in(app)
    assert jobs == {"h1": "j0"}
    found = run(app, CANDIDATE, handed_in=jobs)
    assert [result.passed for result in found.results if result.check == "smoke agents"] == [True]
    assert found.jobs == jobs
    assert app.asked.count("POST /api/v1/jobs") == 1


def test_a_job_that_got_lost_is_asked_anew() -> None:
    """What was handed in before the candidate was ready is no verdict on it."""
    app = FakeApp()
    found = run(app, CANDIDATE, handed_in={"h1": "j9"})
    assert [result for result in found.results if result.fails_release] == []
    assert found.jobs == {"h1": "j0"}
    assert app.asked.count("POST /api/v1/jobs") == 1


@pytest.mark.parametrize("when", ["before", "while it is followed"])
def test_a_job_that_failed_is_asked_anew(when: str) -> None:
    """Not all was there yet when it was handed in; the job that comes after readiness decides."""
    app = FakeApp()
    jobs = handed_in(app)
    app.broken |= {"jobs take a while"} if when == "while it is followed" else set()
    app.failing = set(jobs.values())
    found = run(app, CANDIDATE, handed_in=jobs)
    assert [result for result in found.results if result.fails_release] == []
    assert found.jobs == {"h1": "j1"}
    assert "DELETE /api/v1/jobs/j0" in app.removed


def test_agents_that_fail_every_job_are_red() -> None:
    """A failure of the early job is no excuse."""
    app = FakeApp()
    jobs = handed_in(app)
    app.broken.add("agents fail")
    found = run(app, CANDIDATE, handed_in=jobs)
    assert [result.check for result in found.results if result.fails_release] == ["smoke agents"]


def test_a_candidate_that_fails_leaves_no_job_that_was_handed_in() -> None:
    """It is removed with what the checks made."""
    app = FakeApp()
    jobs = handed_in(app)
    app.broken.add("search")
    assert run(app, CANDIDATE, handed_in=jobs).jobs == {}
    assert "DELETE /api/v1/jobs/j0" in app.removed


def test_a_job_that_is_not_taken_is_left_out() -> None:
    """Whether that is a failure is for the smoke test to find out."""
    assert handed_in(FakeApp(broken={"jobs"})) == {}


def test_an_app_that_is_not_there_takes_none() -> None:
    """Nothing is raised for what decides nothing."""
    with served(FakeApp()) as ports:
        settings = quick_settings(ports)
    assert hand_in_jobs(make_subject(settings)) == {}


def test_a_job_is_taken_back() -> None:
    """Where no smoke test came for it."""
    app = FakeApp()
    jobs = handed_in(app)
    with served(app) as ports:
        assert take_back_jobs(make_subject(quick_settings(ports)), jobs) == []
    assert app.removed == ["DELETE /api/v1/jobs/j0"]


def test_hosts_without_a_job_are_left_alone() -> None:
    """Theirs was not taken, or came to its end."""
    app = FakeApp()
    with served(app) as ports:
        assert take_back_jobs(make_subject(quick_settings(ports)), {"another": "j0"}) == []
    assert app.asked == []


def test_a_job_that_cannot_be_taken_back_is_a_warning() -> None:
    """Somebody may want to remove it."""
    with served(FakeApp()) as ports:
        settings = quick_settings(ports)
    left = take_back_jobs(make_subject(settings), {"h1": "j0"})
    assert [(result.severity, result.passed) for result in left] == [("warning", False)]
