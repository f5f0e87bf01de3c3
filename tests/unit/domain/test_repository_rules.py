from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from infra.domain.repository_rules import BRANCH_RULES, Reading, Wanted, problems

STAGING = Wanted(stack="staging", secrets=frozenset({"STAGING_SECRET_KEY", "OPENAI_API_KEY"}), reviewed=False)
PRODUCTION = Wanted(stack="production", secrets=frozenset({"PRODUCTION_SECRET_KEY"}), reviewed=True)
REVIEWED = {"type": "required_reviewers", "reviewers": [{"type": "Team"}], "prevent_self_review": True}
OPEN = {"deployment_branch_policy": None, "protection_rules": [REVIEWED]}
SELF = {"protection_rules": [{**REVIEWED, "prevent_self_review": False}], "deployment_branch_policy": {}}
ALONE = {"protection_rules": [{**REVIEWED, "reviewers": []}], "deployment_branch_policy": {}}
ENVIRONMENT = {"deployment_branch_policy": {"custom_branch_policies": True}, "protection_rules": [REVIEWED]}
NAMES = ("staging", "staging-preview", "production", "production-preview")
GOOD = Reading(
    environments=dict.fromkeys(NAMES, ENVIRONMENT),
    environment_secrets={
        name: (STAGING if "staging" in name else PRODUCTION).secrets - {"OPENAI_API_KEY"} for name in NAMES
    },
    environment_variables={"staging": frozenset()},
    repository_secrets=frozenset({"OPENAI_API_KEY"}),
    repository_variables=frozenset({"PULUMI_BACKEND_URL"}),
    branch_rules=frozenset(BRANCH_RULES),
    actions={"allowed_actions": "selected", "sha_pinning_required": True},
    workflow={"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False},
)


def test_a_repository_that_is_set_up_has_no_problem() -> None:
    """Nothing is said of a repository that has everything."""
    assert problems([STAGING, PRODUCTION], GOOD) == []


def environments(**changed: Any) -> dict[str, Any]:
    """Return the Environments with one changed."""
    return {"environments": {**GOOD.environments, **changed}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (environments(**{"production-preview": None}), "environment production-preview: is missing"),
        (environments(production=OPEN), "environment production: only main may deploy to it"),
        (environments(production=SELF), "environment production: who started a run may approve it (self-review)"),
        (environments(production=ALONE), "environment production: has no required reviewers"),
        (
            {"environment_secrets": {**GOOD.environment_secrets, "staging": frozenset()}},
            "environment staging: secret STAGING_SECRET_KEY is missing",
        ),
        (
            {"repository_secrets": frozenset({"OPENAI_API_KEY", "PRODUCTION_SECRET_KEY"})},
            "environment production: secret PRODUCTION_SECRET_KEY lies in the repository, open to every job",
        ),
        ({"repository_variables": frozenset()}, "environment staging: variable PULUMI_BACKEND_URL is missing"),
        (
            {"branch_rules": frozenset(BRANCH_RULES) - {"pull_request"}},
            "branch main: changes need a pull request with a review",
        ),
        ({"actions": {**GOOD.actions, "allowed_actions": "all"}}, "actions: only selected actions may run"),
        ({"actions": {"allowed_actions": "selected"}}, "actions: a full commit SHA must be required"),
        (
            {"workflow": {"default_workflow_permissions": "write"}},
            "workflow permissions: the default token must be read-only",
        ),
        (
            {"workflow": {**GOOD.workflow, "can_approve_pull_request_reviews": True}},
            "workflow permissions: workflows must not approve pull requests",
        ),
    ],
)
def test_what_is_missing_is_named(change: dict[str, Any], named: str) -> None:
    """Each setting that is missing or too open is said."""
    assert named in problems([STAGING, PRODUCTION], dataclasses.replace(GOOD, **change))
