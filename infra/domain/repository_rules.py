"""What a GitHub repository must be set to, judged on what its API says; docs/github.md says how to set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from infra.settings.ci_secrets import ACCESS_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAIN = "main"
PULL_REQUESTS = "refs/pull/*/merge"
BACKEND, AWS_VARIABLES = "PULUMI_BACKEND_URL", ("AWS_ROLE_ARN", "AWS_REGION")
CHECKS = frozenset({"Static checks", "Tests", "Images built and scanned"})
"""The jobs of ci.yml, as GitHub names their checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one Environment must have: secrets that lie nowhere else, one branch that may use it, reviewers or none."""

    name: str
    stack: str
    secrets: frozenset[str]
    branch: str = MAIN
    reviewers: Literal["required", "possible", "none"] = "possible"
    has_state: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the API says: None for what is not there; of secrets the names, of variables the values too.

    `branches` has the patterns that each Environment lets in, `branch_rules` every rule that holds for main.
    """

    environments: Mapping[str, Mapping[str, Any] | None]
    branches: Mapping[str, frozenset[str]]
    environment_secrets: Mapping[str, frozenset[str]]
    environment_variables: Mapping[str, Mapping[str, str]]
    repository_secrets: frozenset[str]
    repository_variables: Mapping[str, str]
    branch_rules: Sequence[Mapping[str, Any]]
    actions: Mapping[str, Any]
    workflow: Mapping[str, Any]


def problems(wanted: Iterable[Wanted], reading: Reading) -> list[str]:
    """Return everything that is missing or too open, in words."""
    found = [problem for environment in wanted for problem in _environment(environment, reading)]
    found += [f"branch main: {problem}" for problem in _branch(reading.branch_rules)]
    if reading.actions.get("allowed_actions") != "selected":
        found.append("actions: only selected actions may run")
    if not reading.actions.get("sha_pinning_required"):
        found.append("actions: a full commit SHA must be required")
    if reading.workflow.get("default_workflow_permissions") != "read":
        found.append("workflow permissions: the default token must be read-only")
    if reading.workflow.get("can_approve_pull_request_reviews"):
        found.append("workflow permissions: workflows must not approve pull requests")
    return found


def _branch(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what main's rules leave open; of several rules of a kind GitHub asks for all."""
    of_kind: dict[str, list[Mapping[str, Any]]] = {}
    for rule in rules:
        of_kind.setdefault(str(rule.get("type")), []).append(rule.get("parameters") or {})
    reviews = of_kind.get("pull_request", [])
    passing = {
        str(check.get("context"))
        for rule in of_kind.get("required_status_checks", [])
        for check in rule.get("required_status_checks") or []
    }
    found = []
    if not any((rule.get("required_approving_review_count") or 0) >= 1 for rule in reviews):
        found.append("changes need a pull request with a review")
    if not any(rule.get("require_code_owner_review") for rule in reviews):
        found.append("a review must be one of the code owners")
    found += [f"ci.yml must pass: the check {name!r} is not required" for name in sorted(CHECKS - passing)]
    if "non_fast_forward" not in of_kind:
        found.append("nobody force-pushes")
    if "deletion" not in of_kind:
        found.append("nobody deletes it")
    return found


def _environment(wanted: Wanted, reading: Reading) -> list[str]:
    """Return what is wrong with one Environment."""
    environment = reading.environments.get(wanted.name)
    if environment is None:
        return [f"environment {wanted.name}: is missing"]
    policy = environment.get("deployment_branch_policy") or {}
    found = []
    if not policy.get("custom_branch_policies") or reading.branches.get(wanted.name) != frozenset({wanted.branch}):
        found.append(f"only {wanted.branch} may use it")
    found += _reviewers(wanted, environment)
    found += _secrets(wanted, reading)
    found += _variables(wanted, reading) if wanted.has_state else []
    return [f"environment {wanted.name}: {problem}" for problem in found]


def _reviewers(wanted: Wanted, environment: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with who must approve."""
    rules = {rule.get("type"): rule for rule in environment.get("protection_rules") or []}
    reviewers = rules.get("required_reviewers") or {}
    if wanted.reviewers == "none" and reviewers.get("reviewers"):
        return ["has required reviewers: plans, drift and documentation wait for them"]
    if wanted.reviewers != "required":
        return []
    found = []
    if not reviewers.get("reviewers"):
        found.append("has no required reviewers")
    if not reviewers.get("prevent_self_review"):
        found.append("who started a run may approve it (self-review)")
    return found


def _secrets(wanted: Wanted, reading: Reading) -> list[str]:
    """Return which secrets are missing, and which lie where every job could ask for them."""
    there = reading.environment_secrets.get(wanted.name, frozenset()) | reading.repository_secrets
    needed = wanted.secrets
    if wanted.has_state and _variable(BACKEND, wanted, reading).startswith("https://"):
        needed |= {ACCESS_TOKEN}
    own = {name for name in reading.repository_secrets & needed if name.startswith(f"{wanted.stack.upper()}_")}
    return [
        *(f"secret {name} is missing" for name in sorted(needed - there)),
        *(f"secret {name} lies in the repository, open to every job" for name in sorted(own)),
    ]


def _variables(wanted: Wanted, reading: Reading) -> list[str]:
    """Return which variables are missing: where the state is, and for a bucket in AWS who may read it."""
    backend = _variable(BACKEND, wanted, reading)
    in_aws = backend.startswith("s3://") and "endpoint=" not in backend
    needed = [BACKEND]
    if in_aws or any(_variable(name, wanted, reading) for name in AWS_VARIABLES):
        needed += AWS_VARIABLES
    return [f"variable {name} is missing" for name in needed if not _variable(name, wanted, reading)]


def _variable(name: str, wanted: Wanted, reading: Reading) -> str:
    """Return a variable's value as a job of the Environment sees it."""
    own = reading.environment_variables.get(wanted.name, {})
    return own.get(name) or reading.repository_variables.get(name, "")
