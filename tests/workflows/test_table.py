"""More of the outcomes of `deploy.yml` and `rollback.yml`, with real programs on the lab; takes minutes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.github_server import REPOSITORY, github_server
from tests.support.traffic import release_at
from tests.support.vulnerability_database import set_database
from tests.support.workflow.job import StepFailedError
from tests.support.workflow.lab import Going

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.workflow.job import Job
    from tests.support.workflow.lab import LabRepository
    from tests.support.workflow.results import RunResult

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.environ.get("ACP_LONG_TESTS") != "1", reason="takes minutes: ACP_LONG_TESTS=1"),
]
ROLLBACK = "Roll back unless the hosts did"
INGEST_PORT = 8000


@pytest.fixture(scope="module")
def released(repository: LabRepository) -> RunResult:
    """Return how a dispatch to production went, which builds and passes staging first."""
    return repository.run(environment="production")


@pytest.fixture(scope="module")
def tag(released: RunResult) -> str:
    """Return the tag that was released."""
    return released.jobs["build"].outputs["image_tag"]


def test_production_gets_the_digests_of_staging(repository: LabRepository, released: RunResult) -> None:
    """The whole way is green, and both stacks serve the same digests."""
    failed = {name: job.result for name, job in released.jobs.items() if job.result != "success"}
    assert failed == {"notifications": "skipped"}, str(released)
    assert released.leaks == set()
    assert repository.outputs("production")["images"] == repository.outputs("staging")["images"]
    production = repository.outputs("production")["release"]
    assert release_at(repository.host("production"), INGEST_PORT) == production
    assert "Preview of `production`" in released.jobs["plan"].summary


@pytest.mark.parametrize(
    ("tag", "reason", "status"),
    [
        ("latest", "`latest` moves", 10),
        ("v1; rm -rf /", "String should match pattern", 10),
        ("v0.0.0-not-there", "is not in the registry", 31),
    ],
)
def test_a_tag_that_cannot_be_released_ends_at_the_scan(
    repository: LabRepository, released: RunResult, tag: str, reason: str, status: int
) -> None:
    """A tag that moves, that is none, or that is not there: the scan says so and no stack is touched."""
    before = repository.outputs("staging")["release"]
    result = repository.run(environment="staging", image_tag=tag)
    assert result.outcomes["scan"] == "failure", str(result)
    assert result.outcomes["staging"] == "skipped"
    log = result.jobs["scan"].step("Scan and judge").log
    assert reason in log
    assert f"exit status {status}" in log
    assert repository.outputs("staging")["release"] == before


def test_a_scan_that_blocks_touches_no_stack(repository: LabRepository, tag: str) -> None:
    """An image with a CRITICAL that has a fix ends the run at the scan; its SARIF is shown all the same."""
    before = repository.outputs("staging")["release"]
    set_database(repository.world.lab.trivy, critical=True)
    try:
        result = repository.run(environment="production", image_tag=tag)
    finally:
        set_database(repository.world.lab.trivy)
    assert result.outcomes["scan"] == "failure", str(result)
    assert {result.outcomes[name] for name in ("staging", "plan", "production")} == {"skipped"}, str(result)
    scan = result.jobs["scan"]
    assert "is blocked" in scan.step("Scan and judge").log
    assert scan.step("Show the findings under code scanning").outcome == "success"
    assert repository.outputs("staging")["release"] == before
    assert release_at(repository.host("staging"), INGEST_PORT) == before


def test_production_that_is_not_approved_is_not_touched(repository: LabRepository, tag: str) -> None:
    """The reviewers refuse what was planned: production serves what it served, and no rollback is tried."""
    before = repository.outputs("production")["release"]
    result = repository.run(going=Going(rejected=frozenset({"production"})), environment="production", image_tag=tag)
    assert result.outcomes["plan"] == "success", str(result)
    assert result.outcomes["production"] == "failure", str(result)
    assert result.jobs["production"].steps == []
    assert repository.outputs("production")["release"] == before
    assert release_at(repository.host("production"), INGEST_PORT) == before


def test_a_pull_request_gets_one_comment_per_stack(repository: LabRepository, released: RunResult) -> None:
    """`preview.yml` writes what each stack would change, and edits it the second time."""
    request = {"number": 12, "head": {"repo": {"full_name": REPOSITORY}}, "user": {"login": "someone"}}
    with github_server(repository.token) as server:
        server.comments = {1: "<!-- acp-release preview staging -->\nof an earlier push"}
        going = Going(event={"pull_request": request}, runner={"GITHUB_API_URL": server.url})
        result = repository.run("preview.yml", going)
    assert set(result.outcomes.values()) == {"success"}, str(result)
    assert result.leaks == set()
    assert "Preview of `staging`" in server.comments[1]
    assert "on top of `" + str(repository.outputs("staging")["release"]) in server.comments[1]
    assert "on top of `" + str(repository.outputs("production")["release"]) in server.comments[2]
    assert sorted(server.comments) == [1, 2]


def test_a_failed_smoke_goes_back_in_the_same_job(repository: LabRepository, tag: str) -> None:
    """A release that its update found good and the smoke test bad is rolled back by the job's last step."""
    served = repository.outputs("staging")["release"]
    path = repository.world.path / "stacks" / "Pulumi.staging.yaml"
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["config"]["acp:environment"]["LOG_LEVEL"] = "WARNING"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    repository.world.commit("Log less")
    result = repository.run(
        going=Going(instead={'acp-release smoke --stack "$STACK"': _bad_smoke}), environment="staging", image_tag=tag
    )
    assert result.outcomes["staging"] == "failure", str(result)
    assert result.jobs["staging"].step(ROLLBACK).outcome == "success", str(result)
    assert "rollback needed: this run released" in result.jobs["staging"].step(ROLLBACK).log
    assert repository.outputs("staging")["release"] == served
    assert release_at(repository.host("staging"), INGEST_PORT) == served


def _bad_smoke(job: Job, given: Mapping[str, str]) -> str:
    raise StepFailedError("the smoke test failed")


def test_a_rollback_by_hand_goes_back(repository: LabRepository, tag: str) -> None:
    """`rollback.yml` takes staging back to the release it is told, and leaves production alone."""
    history = [entry["release"] for entry in repository.outputs("staging")["history"]]
    wanted = next(release for release in history if release != history[0])
    result = repository.run("rollback.yml", environment="staging", release=wanted)
    assert result.outcomes == {"staging": "success", "production": "skipped"}, str(result)
    assert repository.outputs("staging")["release"] == wanted
