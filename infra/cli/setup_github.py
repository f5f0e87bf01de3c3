"""`acp-release setup-github`: whether a repository's settings are what the workflows rely on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from infra.adapters.github_api import GitHub
from infra.cli.options import emit, json_option, load
from infra.domain.repository_rules import PULL_REQUESTS, Reading, Wanted, problems
from infra.errors import SettingsError
from infra.settings.ci_secrets import (
    PREVIEW_SUFFIX,
    PULL_REQUEST_SUFFIX,
    REGISTRY_ENVIRONMENT,
    ci_secrets,
    has_own_registry,
    looking_secrets,
    registry_password,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STAGING, PRODUCTION = "staging", "production"
PREVIEWS_VARIABLE, OFF = "PULL_REQUEST_PREVIEWS", "off"


@click.command(epilog="Example: acp-release setup-github --check --repo example/analyst-copilot")
@click.option(
    "--check", is_flag=True, required=True, help="Read the settings and say what is missing; changes nothing."
)
@click.option("--repo", metavar="OWNER/NAME", help="Repository; default: the one of this CI run.")
@click.option(
    "--stack",
    "-s",
    "stacks",
    multiple=True,
    default=(STAGING, PRODUCTION),
    show_default=True,
    help="Stacks it deploys.",
)
@json_option
def setup_github(repo: str | None, stacks: tuple[str, ...], *, check: bool, as_json: bool) -> None:
    """Compare environments, secrets by name, reviewers, branch rules and Actions settings with what is needed.

    Reads through the API with GITHUB_TOKEN, which must be allowed to see settings. Exit code 10 when one is missing.
    """
    github = GitHub.from_environment(os.environ, repo)
    variables = _values(github, "actions/variables")
    has_previews = variables.get(PREVIEWS_VARIABLE) != OFF
    wanted = [environment for stack in stacks for environment in wanted_of(stack, has_previews=has_previews)]
    found = problems(wanted, read_repository(github, [environment.name for environment in wanted], variables))
    document = {"repository": github.repository, "checked": check, "problems": found}
    emit(document, as_json=as_json, text=lambda: None if found else click.echo(f"{github.repository} is set up"))
    if found and as_json:
        raise SystemExit(SettingsError.exit_code)
    if found:
        raise SettingsError(github.repository, found, mend="docs/github.md says how to set each")


def wanted_of(stack: str, *, has_previews: bool = True) -> list[Wanted]:
    """Return what each Environment of a stack must have, from the stack's own settings.

    `has_previews`: whether pull requests are previewed with secrets. Plans are made of the reviewed stack alone.
    """
    settings = load(stack)
    secrets, is_reviewed = ci_secrets(settings), stack == PRODUCTION
    wanted = [
        Wanted(name=stack, stack=stack, secrets=secrets, reviewers="required" if is_reviewed else "possible"),
        Wanted(
            name=stack + PREVIEW_SUFFIX,
            stack=stack,
            secrets=secrets if is_reviewed else looking_secrets(settings),
            reviewers="none",
        ),
    ]
    if has_previews:
        wanted.append(
            Wanted(name=stack + PULL_REQUEST_SUFFIX, stack=stack, secrets=secrets, branch=PULL_REQUESTS),
        )
    if stack == STAGING and has_own_registry(settings):  # what staging's jobs built is what every stack gets
        password = frozenset({registry_password(settings)})
        wanted.append(Wanted(name=REGISTRY_ENVIRONMENT, stack=stack, secrets=password, has_state=False))
    return wanted


def read_repository(github: GitHub, names: Sequence[str], variables: Mapping[str, str]) -> Reading:
    """Return what the API says of the repository, its Environments `names`, and its own `variables`."""
    environments = {name: github.get(f"environments/{name}") for name in names}
    there = [name for name, environment in environments.items() if environment]
    return Reading(
        environments=environments,
        branches={name: _branches(github, name) for name in there},
        environment_secrets={name: _names(github, f"environments/{name}/secrets") for name in there},
        environment_variables={name: _values(github, f"environments/{name}/variables") for name in there},
        repository_secrets=_names(github, "actions/secrets"),
        repository_variables=variables,
        branch_rules=github.get("rules/branches/main?per_page=100") or [],
        actions=github.get("actions/permissions") or {},
        workflow=github.get("actions/permissions/workflow") or {},
    )


def _names(github: GitHub, path: str) -> frozenset[str]:
    """Return the names in a list of secrets."""
    return frozenset(str(item.get("name")) for item in github.listed(path, "secrets"))


def _values(github: GitHub, path: str) -> dict[str, str]:
    """Return a list of variables, which are no secrets."""
    return {str(item.get("name")): str(item.get("value") or "") for item in github.listed(path, "variables")}


def _branches(github: GitHub, name: str) -> frozenset[str]:
    """Return the patterns that an Environment lets in; one of tags is told from one of branches."""
    found = github.listed(f"environments/{name}/deployment-branch-policies", "branch_policies")
    return frozenset(
        str(item.get("name")) if item.get("type", "branch") == "branch" else f"{item['type']} {item.get('name')}"
        for item in found
    )
