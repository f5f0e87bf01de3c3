"""`acp-release apply`: the update that was approved, or none."""

from __future__ import annotations

import os
from pathlib import Path

import click

from infra.adapters.plan_file import read_plan
from infra.adapters.process import attend
from infra.cli.options import emit, json_option, stack_option
from infra.cli.planning import make_plan
from infra.domain.plan import Plan, differences
from infra.errors import GateError, RolloutError
from infra.paths import PROJECT_ROOT
from infra.settings.load import APPROVED_VARIABLE, OVERRIDES

UPDATE_SECONDS = 7200.0


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
    for variable, key in OVERRIDES.items():
        os.environ.pop(variable, None)
        if key in approved.source:
            os.environ[variable] = approved.source[key]
    changed = differences(approved, make_plan(stack))
    if changed:
        lines = "\n".join(f"  - {line}" for line in changed)
        raise GateError(f"what was approved is not what would be applied:\n{lines}", mend=MEND)
    if not only_check:
        _update(stack, approved, quiet=as_json)
    document = {"stack": stack, "plan": approved.hash, "applied": not only_check}
    emit(document, as_json=as_json, text=lambda: click.echo(f"plan {approved.hash[:12]} holds for {stack}"))


MEND = "make a new preview and have it approved; nothing was changed"


def _update(stack: str, approved: Plan, *, quiet: bool) -> None:
    """Run the ordinary update; the program itself refuses another release than the approved one."""
    argv = [
        "pulumi",
        "up",
        "--stack",
        stack,
        "--yes",
        "--skip-preview",
        "--suppress-outputs",
        "--cwd",
        str(PROJECT_ROOT),
    ]
    environment = {**os.environ, **({APPROVED_VARIABLE: approved.release} if approved.release else {})}
    if attend(argv, timeout_seconds=UPDATE_SECONDS, env=environment, quiet=quiet) != 0:
        raise RolloutError(
            f"the update of {stack} failed", mend="the reason stands above; `acp-release status` says what serves"
        )
