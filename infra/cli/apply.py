"""`acp-release apply`: the update that was approved, or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.adapters.github_api import GitHub
from infra.adapters.plan_file import read_plan
from infra.adapters.pulumi_cli import update_stack
from infra.cli.options import emit, json_option, stack_option
from infra.cli.planning import make_plan
from infra.domain.plan import differences
from infra.errors import GateError, ReleaseError, RolloutError
from infra.settings.load import APPROVED_VARIABLE, OVERRIDES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.domain.plan import Plan

UPDATE_SECONDS = 7200.0
APPROVER_VARIABLE = "ACP_APPROVED_BY"
MEND = "make a new preview and have it approved; nothing was changed"


@click.command(epilog="Example: acp-release apply --stack production --plan reports/plan.json --hash 0f3a…")
@stack_option
@click.option(
    "--plan",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File of the approved preview.",
)
@click.option(
    "--hash", "expected", metavar="SHA256", help="Hash the approved preview printed; another file is refused."
)
@click.option("--check", "only_check", is_flag=True, help="Only say whether the plan still holds.")
@json_option
def apply(stack: str, path: Path, expected: str | None, *, only_check: bool, as_json: bool) -> None:
    """Run the update of an approved plan. Exit code 40 when anything is otherwise than it was approved."""
    approved = read_plan(path)
    if expected is not None and approved.hash != expected:
        raise GateError(f"{path} is not the plan that was approved", where=f"its hash is {approved.hash}", mend=MEND)
    if approved.stack != stack:
        raise GateError(f"the plan is for stack {approved.stack}, not for {stack}", mend=MEND)
    environ = approved_environment(approved)
    changed = differences(approved, make_plan(stack, environ))
    if changed:
        lines = "\n".join(f"  - {line}" for line in changed)
        raise GateError(f"what was approved is not what would be applied:\n{lines}", mend=MEND)
    if not only_check:
        _update(stack, {**environ, **_approval(stack)}, as_json=as_json)
    document = {"stack": stack, "plan": approved.hash, "applied": not only_check}
    emit(document, as_json=as_json, text=lambda: click.echo(f"plan {approved.hash[:12]} holds for {stack}"))


def approved_environment(approved: Plan) -> dict[str, str]:
    """Return the environment of the approved update: it asks for what was approved, whatever ours asks for.

    The program itself refuses another release than the approved one (`ACP_APPROVED_RELEASE`).
    """
    environ = {name: value for name, value in os.environ.items() if name not in OVERRIDES}
    asked = {name: approved.source[key] for name, key in OVERRIDES.items() if key in approved.source}
    return {**environ, **asked, **({APPROVED_VARIABLE: approved.release} if approved.release else {})}


def _approval(stack: str) -> dict[str, str]:
    """Return who approved this run, for the record; that GitHub cannot be asked is said, and is no reason to stop."""
    run = os.environ.get("GITHUB_RUN_ID")
    if not run or APPROVER_VARIABLE in os.environ:
        return {}
    try:
        names = GitHub.from_environment(os.environ).approvers(run, stack)
    except ReleaseError as error:
        click.echo(f"who approved this run is not known: {error.what}", err=True)
        return {}
    return {APPROVER_VARIABLE: ", ".join(names)} if names else {}


def _update(stack: str, environ: Mapping[str, str], *, as_json: bool) -> None:
    """Run the ordinary update; with `--json` its output is on standard error."""
    if not update_stack(stack, env=environ, timeout_seconds=UPDATE_SECONDS, to_stderr=as_json):
        raise RolloutError(
            f"the update of {stack} failed",
            mend=f"the reason stands above; what serves: `acp-release status --stack {stack}`",
        )
