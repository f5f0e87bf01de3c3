"""`acp-release setup-github --check`: what a repository lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.cli.setup_github import wanted_of
from infra.domain.repository_rules import CHECKS
from infra.paths import PROJECT_ROOT
from infra.settings import load_stack_file
from tests.support.github_server import github_server
from tests.unit.cli.invoke import call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.settings import Settings
    from tests.support.github_server import GitHubServer


def test_a_repository_that_is_not_set_up_fails_with_every_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the API does not have is listed; an empty repository lacks every Environment."""
    with github_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        done = call("setup-github", "--check")
        assert done.exit_code == 10
        for stack in ("staging", "production"):
            for suffix in ("", "-preview", "-pull-request"):
                assert f"environment {stack}{suffix}: is missing" in done.output
        assert "environment registry" not in done.output
        assert all(request.startswith("GET ") for request in server.requests)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """Return a repository that is set up; its lists are longer than one page."""
    others = [{"name": f"A_{number}", "value": "x"} for number in range(130)]
    with github_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        for wanted in (environment for stack in ("staging", "production") for environment in wanted_of(stack)):
            place = f"environments/{wanted.name}"
            rule = {"type": "required_reviewers", "reviewers": [{}], "prevent_self_review": True}
            server.documents |= {
                place: {
                    "deployment_branch_policy": {"custom_branch_policies": True},
                    "protection_rules": [rule] if wanted.reviewers == "required" else [],
                },
                f"{place}/secrets": {"secrets": [*others, *({"name": name} for name in sorted(wanted.secrets))]},
                f"{place}/deployment-branch-policies": {"branch_policies": [{"name": wanted.branch, "type": "branch"}]},
            }
        review = {"required_approving_review_count": 1, "require_code_owner_review": True}
        checks = {"required_status_checks": [{"context": name} for name in CHECKS]}
        server.documents |= {
            "actions/variables": {"variables": [*others, {"name": "PULUMI_BACKEND_URL", "value": "gs://state"}]},
            "rules/branches/main": [
                {"type": "pull_request", "parameters": review},
                {"type": "required_status_checks", "parameters": checks},
                {"type": "non_fast_forward"},
                {"type": "deletion"},
            ],
            "actions/permissions": {"allowed_actions": "selected", "sha_pinning_required": True},
            "actions/permissions/workflow": {"default_workflow_permissions": "read"},
        }
        yield server


@pytest.mark.usefixtures("repository")
def test_a_repository_that_is_set_up_passes() -> None:
    """A repository with every Environment, secret, rule and setting is said to be set up, on whatever page they are."""
    done = call("setup-github", "--check")
    assert done.exit_code == 0, done.output


def test_a_tag_of_that_name_is_no_branch(repository: GitHubServer) -> None:
    """An Environment that lets a tag in, be it called main, is too open."""
    place = "environments/production/deployment-branch-policies"
    repository.documents[place] = {"branch_policies": [{"name": "main", "type": "tag"}]}
    assert "environment production: only main may use it" in call("setup-github", "--check").output


def test_environments_for_pull_requests_are_not_asked_for_where_these_get_no_preview(repository: GitHubServer) -> None:
    """With the variable at `off`, a repository without those Environments is set up."""
    for stack in ("staging", "production"):
        del repository.documents[f"environments/{stack}-pull-request"]
    assert "environment production-pull-request: is missing" in call("setup-github", "--check").output
    repository.documents["actions/variables"]["variables"].append({"name": "PULL_REQUEST_PREVIEWS", "value": "off"})
    done = call("setup-github", "--check")
    assert done.exit_code == 0, done.output


def test_a_registry_of_ones_own_needs_its_password_everywhere(
    repository: GitHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the run's token is no login, each Environment that pulls or pushes needs the registry's password."""

    def elsewhere(stack: str) -> Settings:
        settings = load_stack_file(stack, PROJECT_ROOT)
        registry = settings.registry.model_copy(update={"server": "registry.example.com"})
        return settings.model_copy(update={"registry": registry})

    monkeypatch.setattr("infra.cli.setup_github.load", elsewhere)
    output = call("setup-github", "--check").output
    assert "environment registry: is missing" in output
    for name in ("staging", "staging-pull-request"):
        assert f"environment {name}: secret STAGING_REGISTRY_PASSWORD is missing" in output
    for name in ("production", "production-preview", "production-pull-request"):
        assert f"environment {name}: secret PRODUCTION_REGISTRY_PASSWORD is missing" in output
    assert "environment staging-preview" not in output
