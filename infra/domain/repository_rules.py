"""What a GitHub repository must be set to, judged on what its API says; docs/github.md says how to set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREVIEW_SUFFIX = "-preview"
BACKEND = "PULUMI_BACKEND_URL"
BRANCH_RULES = {
    "pull_request": "changes need a pull request with a review",
    "required_status_checks": "ci.yml must pass",
    "non_fast_forward": "nobody force-pushes",
    "deletion": "nobody deletes it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one stack's Environment must have."""

    stack: str
    secrets: frozenset[str]
    reviewed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the API says: None for what is not there, names of secrets and variables, never a value."""

    environments: Mapping[str, Mapping[str, Any] | None]
    environment_secrets: Mapping[str, frozenset[str]]
    environment_variables: Mapping[str, frozenset[str]]
    repository_secrets: frozenset[str]
    repository_variables: frozenset[str]
    branch_rules: frozenset[str]
    actions: Mapping[str, Any]
    workflow: Mapping[str, Any]


def problems(wanted: Iterable[Wanted], reading: Reading) -> list[str]:
    """Return everything that is missing or too open, in words."""
    found: list[str] = []
    for stack in wanted:
        found += _environment(stack, stack.stack, reading)
        found += _environment(stack, stack.stack + PREVIEW_SUFFIX, reading)
    found += [f"branch main: {text}" for rule, text in BRANCH_RULES.items() if rule not in reading.branch_rules]
    if reading.actions.get("allowed_actions") != "selected":
        found.append("actions: only selected actions may run")
    if not reading.actions.get("sha_pinning_required"):
        found.append("actions: a full commit SHA must be required")
    if reading.workflow.get("default_workflow_permissions") != "read":
        found.append("workflow permissions: the default token must be read-only")
    if reading.workflow.get("can_approve_pull_request_reviews"):
        found.append("workflow permissions: workflows must not approve pull requests")
    return found


def _environment(wanted: Wanted, name: str, reading: Reading) -> list[str]:
    """Return what is wrong with one Environment."""
    environment = reading.environments.get(name)
    if environment is None:
        return [f"environment {name}: is missing"]
    found = []
    is_deploy = name == wanted.stack
    if is_deploy and not environment.get("deployment_branch_policy"):
        found.append(f"environment {name}: only main may deploy to it")
    if is_deploy and wanted.reviewed:
        rules = {rule.get("type"): rule for rule in environment.get("protection_rules") or []}
        reviewers = rules.get("required_reviewers") or {}
        if not reviewers.get("reviewers"):
            found.append(f"environment {name}: has no required reviewers")
        if not reviewers.get("prevent_self_review"):
            found.append(f"environment {name}: who started a run may approve it (self-review)")
    secrets = reading.environment_secrets.get(name, frozenset()) | reading.repository_secrets
    found += [f"environment {name}: secret {secret} is missing" for secret in sorted(wanted.secrets - secrets)]
    own = {
        secret
        for secret in reading.repository_secrets
        if secret in wanted.secrets and secret.startswith(wanted.stack.upper())
    }
    found += [
        f"environment {name}: secret {secret} lies in the repository, open to every job" for secret in sorted(own)
    ]
    variables = reading.environment_variables.get(name, frozenset()) | reading.repository_variables
    if BACKEND not in variables:
        found.append(f"environment {name}: variable {BACKEND} is missing")
    return found
