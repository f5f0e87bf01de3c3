from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from infra.domain.repository_rules import CHECKS, MAIN, PULL_REQUESTS, Reading, Wanted, problems

SECRETS = {
    "staging": frozenset({"STAGING_SECRET_KEY", "OPENAI_API_KEY"}),
    "production": frozenset({"PRODUCTION_SECRET_KEY"}),
}
WANTED = [
    Wanted(name="staging", stack="staging", secrets=SECRETS["staging"]),
    Wanted(name="staging-preview", stack="staging", secrets=SECRETS["staging"], reviewers="none"),
    Wanted(name="production", stack="production", secrets=SECRETS["production"], reviewers="required"),
    Wanted(
        name="production-pull-request", stack="production", secrets=SECRETS["production"], branch=PULL_REQUESTS,
    ),
    Wanted(
        name="registry", stack="staging", secrets=frozenset({"STAGING_REGISTRY_PASSWORD"}), has_state=False,
    ),
]  # fmt: skip
REVIEWED = {"type": "required_reviewers", "reviewers": [{"type": "Team"}], "prevent_self_review": True}
CUSTOM = {"deployment_branch_policy": {"custom_branch_policies": True, "protected_branches": False}}
ENVIRONMENTS: dict[str, Any] = {
    wanted.name: {**CUSTOM, "protection_rules": [REVIEWED] if wanted.reviewers == "required" else []}
    for wanted in WANTED
}
REVIEW = {"required_approving_review_count": 1, "require_code_owner_review": True}
RULES: list[dict[str, Any]] = [
    {"type": "pull_request", "parameters": REVIEW},
    {
        "type": "required_status_checks",
        "parameters": {"required_status_checks": [{"context": name} for name in sorted(CHECKS)]},
    },
    {"type": "non_fast_forward"},
    {"type": "deletion"},
]
GOOD = Reading(
    environments=ENVIRONMENTS,
    branches={wanted.name: frozenset({wanted.branch}) for wanted in WANTED},
    environment_secrets={wanted.name: wanted.secrets - {"OPENAI_API_KEY"} for wanted in WANTED},
    environment_variables={"staging": {}},
    repository_secrets=frozenset({"OPENAI_API_KEY"}),
    repository_variables={"PULUMI_BACKEND_URL": "gs://state"},
    branch_rules=RULES,
    actions={"allowed_actions": "selected", "sha_pinning_required": True},
    workflow={"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False},
)


def test_a_repository_that_is_set_up_has_no_problem() -> None:
    """Nothing is said of a repository that has everything."""
    assert problems(WANTED, GOOD) == []


def environment(name: str, **changed: Any) -> dict[str, Any]:
    """Return the Environments with one changed."""
    return {"environments": {**ENVIRONMENTS, name: {**ENVIRONMENTS[name], **changed}}}


def open_to(name: str, *branches: str) -> dict[str, Any]:
    """Return the branches with those of one Environment changed."""
    return {"branches": {**GOOD.branches, name: frozenset(branches)}}


def rules(kind: str, **parameters: Any) -> dict[str, Any]:
    """Return main's rules with one of another content."""
    kept = [rule for rule in RULES if rule["type"] != kind]
    return {"branch_rules": [*kept, {"type": kind, "parameters": parameters}]}


def without(kind: str) -> dict[str, Any]:
    """Return main's rules without one."""
    return {"branch_rules": [rule for rule in RULES if rule["type"] != kind]}


def variables(**values: str) -> dict[str, Any]:
    """Return the repository's variables."""
    return {"repository_variables": values}


CLOSED = {"deployment_branch_policy": {"custom_branch_policies": False, "protected_branches": True}}
SELF = [{**REVIEWED, "prevent_self_review": False}]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"environments": {**ENVIRONMENTS, "staging-preview": None}},
            ["environment staging-preview: is missing"],
        ),
        (environment("production", deployment_branch_policy=None), ["environment production: only main may use it"]),
        (environment("staging", **CLOSED), ["environment staging: only main may use it"]),
        (open_to("staging-preview", MAIN, "release/*"), ["environment staging-preview: only main may use it"]),
        (open_to("production", "tag main"), ["environment production: only main may use it"]),
        (open_to("registry"), ["environment registry: only main may use it"]),
        (
            open_to("production-pull-request", MAIN, PULL_REQUESTS),
            ["environment production-pull-request: only refs/pull/*/merge may use it"],
        ),
        (
            environment("production", protection_rules=SELF),
            ["environment production: who started a run may approve it (self-review)"],
        ),
        (
            environment("production", protection_rules=[{**REVIEWED, "reviewers": []}]),
            ["environment production: has no required reviewers"],
        ),
        (environment("staging", protection_rules=[REVIEWED]), []),
        (environment("production-pull-request", protection_rules=SELF), []),
        (
            environment("staging-preview", protection_rules=[REVIEWED]),
            ["environment staging-preview: has required reviewers: plans, drift and documentation wait for them"],
        ),
        (
            {"environment_secrets": {**GOOD.environment_secrets, "staging": frozenset()}},
            ["environment staging: secret STAGING_SECRET_KEY is missing"],
        ),
        (
            {"environment_secrets": {**GOOD.environment_secrets, "registry": frozenset()}},
            ["environment registry: secret STAGING_REGISTRY_PASSWORD is missing"],
        ),
        (
            {"repository_secrets": frozenset({"OPENAI_API_KEY", "STAGING_REGISTRY_PASSWORD"})},
            ["environment registry: secret STAGING_REGISTRY_PASSWORD lies in the repository, open to every job"],
        ),
        (
            {"repository_secrets": frozenset({"OPENAI_API_KEY", "PRODUCTION_SECRET_KEY"})},
            [
                f"environment {name}: secret PRODUCTION_SECRET_KEY lies in the repository, open to every job"
                for name in ("production", "production-pull-request")
            ],
        ),
        (
            {**variables(), "environment_variables": {w.name: {"PULUMI_BACKEND_URL": "gs://x"} for w in WANTED[1:]}},
            ["environment staging: variable PULUMI_BACKEND_URL is missing"],
        ),
        (without("pull_request"), [
            "branch main: changes need a pull request with a review",
            "branch main: a review must be one of the code owners",
        ]),
        (
            rules("pull_request", **{**REVIEW, "required_approving_review_count": 0}),
            ["branch main: changes need a pull request with a review"],
        ),
        (
            rules("pull_request", **{**REVIEW, "require_code_owner_review": False}),
            ["branch main: a review must be one of the code owners"],
        ),
        (
            rules("required_status_checks", required_status_checks=[{"context": "Tests"}, {"context": "Other"}]),
            [
                "branch main: ci.yml must pass: the check 'Images built and scanned' is not required",
                "branch main: ci.yml must pass: the check 'Static checks' is not required",
            ],
        ),
        (without("non_fast_forward"), ["branch main: nobody force-pushes"]),
        (without("deletion"), ["branch main: nobody deletes it"]),
        ({"actions": {**GOOD.actions, "allowed_actions": "all"}}, ["actions: only selected actions may run"]),
        ({"actions": {"allowed_actions": "selected"}}, ["actions: a full commit SHA must be required"]),
        (
            {"workflow": {"default_workflow_permissions": "write"}},
            ["workflow permissions: the default token must be read-only"],
        ),
        (
            {"workflow": {**GOOD.workflow, "can_approve_pull_request_reviews": True}},
            ["workflow permissions: workflows must not approve pull requests"],
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(change: dict[str, Any], named: list[str]) -> None:
    """Each setting that is missing or too open is said, and nothing else."""
    assert problems(WANTED, dataclasses.replace(GOOD, **change)) == named


def test_rules_of_several_rulesets_count_together() -> None:
    """What one ruleset leaves out another one may ask for, as GitHub wants all of them."""
    reviews = [
        {"type": "pull_request", "parameters": {"required_approving_review_count": 2}},
        {"type": "pull_request", "parameters": {"require_code_owner_review": True}},
    ]
    checks = [
        {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": name}]}}
        for name in CHECKS
    ]
    split = [*reviews, *checks, {"type": "non_fast_forward"}, {"type": "deletion"}]
    assert problems(WANTED, dataclasses.replace(GOOD, branch_rules=split)) == []


AWS = {"AWS_ROLE_ARN": "arn:aws:iam::1:role/acp", "AWS_REGION": "eu-central-1"}
IN_AWS = {"PULUMI_BACKEND_URL": "s3://state?region=eu-central-1"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({**IN_AWS, **AWS}, []),
        (IN_AWS, ["variable AWS_ROLE_ARN is missing", "variable AWS_REGION is missing"]),
        ({"PULUMI_BACKEND_URL": "s3://state?endpoint=minio.test"}, []),
        (
            {"PULUMI_BACKEND_URL": "gs://state", "AWS_ROLE_ARN": AWS["AWS_ROLE_ARN"]},
            ["variable AWS_REGION is missing"],
        ),
        ({"PULUMI_BACKEND_URL": "https://api.pulumi.com"}, ["secret PULUMI_ACCESS_TOKEN is missing"]),
    ],
)
def test_a_backend_says_what_its_login_needs(given: dict[str, str], missing: list[str]) -> None:
    """A bucket in AWS needs a role and its region, Pulumi Cloud a token; where images are built there is no state."""
    wanted = [WANTED[0], WANTED[-1]]
    found = problems(wanted, dataclasses.replace(GOOD, repository_variables=given))
    assert found == [f"environment staging: {text}" for text in missing]
