"""`acp-release setup-github`: whether a repository's settings are what the workflows rely on."""

from __future__ import annotations

import os
from typing import Any

import click

from infra.adapters.github_api import GitHub
from infra.cli.options import emit, json_option, load
from infra.domain.repository_rules import PREVIEW_SUFFIX, Reading, Wanted, problems
from infra.errors import SettingsError
from infra.settings.ci_secrets import ci_secrets

PRODUCTION = "production"


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
    default=("staging", PRODUCTION),
    show_default=True,
    help="Stacks it deploys.",
)
@json_option
def setup_github(repo: str | None, stacks: tuple[str, ...], *, check: bool, as_json: bool) -> None:
    """Compare environments, secrets by name, reviewers, branch rules and Actions settings with what is needed.

    Reads through the API with GITHUB_TOKEN, which must be allowed to see settings. Exit code 10 when one is missing.
    """
    github = GitHub.from_environment(os.environ, repo)
    wanted = [wanted_of(stack) for stack in stacks]
    found = problems(wanted, read_repository(github, wanted))
    document = {"repository": github.repository, "checked": check, "problems": found}
    emit(document, as_json=as_json, text=lambda: None if found else click.echo(f"{github.repository} is set up"))
    if found and as_json:
        raise SystemExit(SettingsError.exit_code)
    if found:
        raise SettingsError(github.repository, found, mend="docs/github.md says how to set each")


def wanted_of(stack: str) -> Wanted:
    """Return what a stack's Environment must have, from the stack's own settings."""
    return Wanted(stack=stack, secrets=ci_secrets(load(stack)), reviewed=stack == PRODUCTION)


def read_repository(github: GitHub, wanted: list[Wanted]) -> Reading:
    """Return what the API says of the repository."""
    names = [stack.stack + suffix for stack in wanted for suffix in ("", PREVIEW_SUFFIX)]
    environments = {name: github.get(f"environments/{name}") for name in names}
    there = [name for name, environment in environments.items() if environment]
    return Reading(
        environments=environments,
        environment_secrets={name: _names(github, f"environments/{name}/secrets", "secrets") for name in there},
        environment_variables={name: _names(github, f"environments/{name}/variables", "variables") for name in there},
        repository_secrets=_names(github, "actions/secrets", "secrets"),
        repository_variables=_names(github, "actions/variables", "variables"),
        branch_rules=frozenset(str(rule.get("type")) for rule in github.get("rules/branches/main") or []),
        actions=github.get("actions/permissions") or {},
        workflow=github.get("actions/permissions/workflow") or {},
    )


def _names(github: GitHub, path: str, key: str) -> frozenset[str]:
    """Return the names in a list of secrets or variables."""
    document: dict[str, Any] = github.get(f"{path}?per_page=30") or {}
    return frozenset(str(item.get("name")) for item in document.get(key, []))
