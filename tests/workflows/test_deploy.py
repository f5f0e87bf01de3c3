"""`deploy.yml` on the lab: the real programs, staging and production on a host each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.traffic import release_at
from tests.support.workflow.lab import Going

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.workflow.lab import LabRepository
    from tests.support.workflow.results import RunResult

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
STAGING = ("build", "scan", "sign", "staging", "performance", "documentation")
ROLLBACK = "Roll back unless the hosts did"
NO_PORT, INGEST_PORT = 9, 8000


def ended(result: RunResult, outcome: str) -> set[str]:
    """Return the jobs that ended so."""
    return {name for name, found in result.outcomes.items() if found == outcome}


@pytest.fixture(scope="module")
def pushed(repository: LabRepository) -> RunResult:
    """Return how the run of a push to main went."""
    return repository.run()


@pytest.fixture(scope="module")
def tag(pushed: RunResult) -> str:
    """Return the tag that the push was released under."""
    return pushed.jobs["build"].outputs["image_tag"]


def test_a_push_ends_on_staging(repository: LabRepository, pushed: RunResult, tag: str) -> None:
    """Built, scanned, signed, released to staging's host and measured; no log shows a secret."""
    assert ended(pushed, "success") == set(STAGING), str(pushed)
    assert ended(pushed, "failure") == set(), str(pushed)
    assert pushed.leaks == set()
    released = repository.outputs("staging")
    assert str(released["release"]).startswith(tag)
    assert released["release_entry"]["commit"], "a promoted tag still names the commit it was built from"
    assert release_at(repository.host("staging"), INGEST_PORT) == released["release"]


def test_what_changed_after_the_approval_is_not_applied(repository: LabRepository, tag: str) -> None:
    """While the run waits for its reviewers the tag moves: production is refused, by name, and nothing is done."""
    right = repository.tags.pinned(repository.world.settings.registry.repository("acp-ingest"), tag)
    going = Going(before={"production": lambda: repository.move_tag("acp-agents", "acp-ingest", tag)})
    result = repository.run(going=going, environment="production", image_tag=tag)
    repository.tags.add(right, tag)
    assert ended(result, "failure") == {"production"}, str(result)
    log = result.jobs["production"].step("Release what was approved").log
    assert "what was approved is not what would be applied" in log
    assert "the digest of acp-ingest: approved" in log
    assert "nothing to roll back" in result.jobs["production"].step(ROLLBACK).log
    assert repository.outputs("production") == {}


def test_a_tag_that_moved_after_the_build_does_not_reach_staging(repository: LabRepository, tag: str) -> None:
    """At staging's turn the tag leads to another image that is signed: both digests are named, and nothing is done."""
    served = repository.outputs("staging")["release"]
    registry = repository.world.settings.registry
    right, other = (repository.tags.pinned(registry.repository(name), tag) for name in ("acp-ingest", "acp-agents"))
    result = repository.run(
        going=Going(before={"staging": lambda: repository.move_tag("acp-agents", "acp-ingest", tag)})
    )
    repository.tags.add(right, tag)
    assert ended(result, "failure") == {"staging"}, str(result)
    log = result.jobs["staging"].step("Release").log
    assert "what would be released is not what was built" in log
    built, found = (pinned.rpartition("@")[2] for pinned in (right, other))
    assert f"acp-ingest: the tag {tag} moved: the build made {built}, the registry now has {found}" in log
    assert "nothing to roll back" in result.jobs["staging"].step(ROLLBACK).log
    assert release_at(repository.host("staging"), INGEST_PORT) == served == repository.outputs("staging")["release"]


@pytest.fixture
def broken_route(repository: LabRepository) -> Iterator[None]:
    """Make staging's public address wrong, so that a release passes alone and fails after the switch."""
    path = repository.world.path / "stacks" / "Pulumi.staging.yaml"
    before = path.read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(before)
    config = document["config"]
    config["acp:hosts"][0]["ports"] = {8000: NO_PORT}
    config["acp:checks"] = {"healthy_before": False, "timeout_seconds": 5}
    config["acp:environment"]["LOG_LEVEL"] = "DEBUG"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    repository.world.commit("Break staging's public address")
    yield
    path.write_text(before, encoding="utf-8")
    repository.world.commit("Mend staging's public address")


@pytest.mark.usefixtures("broken_route")
def test_a_reverted_release_leaves_nothing_to_roll_back(repository: LabRepository, tag: str) -> None:
    """A check after the switch fails: the host goes back, the job fails, and its last step finds nothing to do."""
    served = repository.outputs("staging")["release"]
    result = repository.run(environment="staging", image_tag=tag)
    assert ended(result, "failure") == {"staging"}, str(result)
    assert ended(result, "skipped") >= {"build", "sign", "performance", "plan", "production"}
    assert "nothing to roll back: every host serves" in result.jobs["staging"].step(ROLLBACK).log
    assert release_at(repository.host("staging"), INGEST_PORT) == served == repository.outputs("staging")["release"]
