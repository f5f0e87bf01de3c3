from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.notify.delivery import DelayedError, RefusedError, new_client
from infra.notify.github import Repository
from tests.support.notices import make_notice
from tests.support.vendors import DEPLOYMENTS, OWNER, TOKEN, Trouble, Vendors, vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = "production"


@pytest.fixture
def github() -> Iterator[Vendors]:
    """Return GitHub."""
    with vendors() as state:
        yield state


def tell(github: Vendors, **changes: Any) -> None:
    """Tell GitHub of a notice."""
    environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": OWNER, "GITHUB_API_URL": github.address("/")}
    with new_client() as client:
        repository = Repository.of(client, environ, lambda text: text)
        repository.tell(make_notice(**changes), ENVIRONMENT, "https://acp.example", "https://github.example/run")
    assert github.problems == []


def states(github: Vendors) -> list[list[str]]:
    """Return the states that each deployment went through, the newest deployment first."""
    return [[status["state"] for status in github.statuses[d["id"]]] for d in github.deployments]


def test_one_run_is_one_deployment(github: Vendors) -> None:
    """Waiting without a release, started with one and done are three states of the same deployment."""
    tell(github, event="waiting", release="")
    tell(github, event="started")
    tell(github, event="succeeded")
    assert states(github) == [["queued", "in_progress", "success"]]
    (last,) = github.statuses.values()
    assert last[-1]["environment_url"] == "https://acp.example"
    assert last[-1]["log_url"] == "https://github.example/run"


def test_telling_again_changes_nothing(github: Vendors) -> None:
    """A notice that arrived, but whose answer was lost, makes neither a deployment nor a status twice."""
    for event in ("started", "started", "succeeded", "succeeded"):
        tell(github, event=event)
    assert states(github) == [["in_progress", "success"]]


def test_a_success_takes_the_place_of_the_one_before(github: Vendors) -> None:
    """What served before is inactive, also in production, where GitHub does not do it by itself."""
    tell(github, event="succeeded", run_id="1", release="v1-0")
    tell(github, event="succeeded", run_id="2", release="v2-0")
    assert states(github) == [["success"], ["success", "inactive"]]


def test_a_failure_leaves_active_what_serves(github: Vendors) -> None:
    """After a revert the Environments page still shows the release before as the active one."""
    tell(github, event="succeeded", run_id="1", release="v1-0")
    tell(github, event="reverted", run_id="2", release="v2-0", reason="2 of 8 checks failed")
    assert states(github) == [["failure"], ["success"]]
    assert github.statuses[2][-1]["description"] == "2 of 8 checks failed"


def test_a_rollback_in_the_same_run_is_a_deployment_of_its_own(github: Vendors) -> None:
    """The failed one stays failed, and the release that serves again is active."""
    tell(github, event="started", release="v2-0")
    tell(github, event="failed", release="v2-0")
    tell(github, event="started", release="v1-0")
    tell(github, event="rolled-back", release="v1-0")
    assert states(github) == [["in_progress", "success"], ["in_progress", "failure"]]


@pytest.mark.parametrize("event", ["succeeded", "reverted"])
def test_another_jobs_failure_does_not_change_how_a_release_ended(github: Vendors, event: str) -> None:
    """A workflow that tells of a failed job without a release neither ends a deployment anew nor makes one."""
    tell(github, event="failed", release="", run_id="before")
    tell(github, event=event)
    tell(github, event="failed", release="")
    assert states(github) == [["success" if event == "succeeded" else "failure"]]


def test_a_run_that_was_not_approved_ends_its_deployment(github: Vendors) -> None:
    """What waits is ended by the failure of its run."""
    tell(github, event="waiting", release="")
    tell(github, event="failed", release="")
    assert states(github) == [["queued", "failure"]]


def test_other_environments_are_left_alone(github: Vendors) -> None:
    """A success in production says nothing of staging."""
    github.deployments.append({"id": 9, "environment": "staging", "payload": "{}"})
    github.statuses[9] = [{"state": "success"}]
    tell(github, event="succeeded")
    assert github.state_of(9) == "success"


@pytest.mark.parametrize("payload", ["{}", "not json", '{"run_id": "ci-7-1", "release": ""}', {}, None, []])
def test_deployments_of_others_are_understood(github: Vendors, payload: Any) -> None:
    """The payload of somebody else's deployment may be anything; one in text form is read."""
    github.deployments.append({"id": 9, "environment": ENVIRONMENT, "payload": payload})
    tell(github, event="started")
    is_ours = isinstance(payload, str) and "ci-7-1" in payload
    assert len(github.accepted(DEPLOYMENTS)) == (0 if is_ours else 1)


def test_a_commit_is_needed(github: Vendors) -> None:
    """Without one the refusal says so, instead of GitHub's answer."""
    with pytest.raises(RefusedError, match="the commit of the release is not known"):
        tell(github, event="started", commit="")


def test_outside_of_ci_it_waits() -> None:
    """Without GitHub's variables the letter is kept, and they are named."""
    with new_client() as client, pytest.raises(DelayedError, match="GITHUB_TOKEN, GITHUB_API_URL not set here"):
        Repository.of(client, {"GITHUB_REPOSITORY": OWNER}, lambda text: text)


def test_a_wrong_token_is_refused_and_a_limit_waited_for(github: Vendors) -> None:
    """401 stays wrong; a used-up limit passes."""
    github.troubles["/repos"] = Trouble(status=401)
    with pytest.raises(RefusedError, match="status 401"):
        tell(github, event="started")
    github.troubles["/repos"] = Trouble(status=403, headers={"Retry-After": "7"})
    with pytest.raises(DelayedError) as caught:
        tell(github, event="started")
    assert caught.value.after_seconds == 7
