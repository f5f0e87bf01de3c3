"""`acp-release preview`: what an update would do, as a plan that somebody can approve."""

from __future__ import annotations

import os
from pathlib import Path

import click

from infra.adapters.ci_files import add_summary, set_output
from infra.adapters.github_api import GitHub
from infra.adapters.plan_file import write_plan
from infra.cli.options import emit, json_option, load_wanted, stack_option
from infra.cli.planning import make_plan
from infra.domain.outline import outline
from infra.domain.plan import to_markdown
from infra.errors import UsageError

PULL_REQUEST = "ACP_PULL_REQUEST"


@click.command(epilog="Example: acp-release preview --stack production --save reports/plan.json")
@stack_option
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan to this file.")
@click.option("--comment", is_flag=True, help=f"Write it to the pull request {PULL_REQUEST}, in place of an older one.")
@click.option(
    "--settings-only", is_flag=True, help="Ask neither stack nor registry: what the stack file says, no secret needed."
)
@json_option
def preview(stack: str, save: Path | None, *, comment: bool, settings_only: bool, as_json: bool) -> None:
    """Show images, settings, secret names and resources that an update would change; changes nothing itself."""
    if settings_only:
        if save or comment:
            raise UsageError("--settings-only makes no plan", mend="leave out --save and --comment")
        text = outline(load_wanted(stack))
        add_summary(text)
        emit({"stack": stack, "outline": text}, as_json=as_json, text=lambda: click.echo(text))
        return
    plan = make_plan(stack, os.environ)
    text = to_markdown(plan)
    if save is not None:
        write_plan(save, plan)
    add_summary(text)
    set_output("plan_hash", plan.hash)
    if comment:
        GitHub.from_environment(os.environ).comment(
            pull_request=_pull_request(), marker=f"acp-release preview {stack}", body=text
        )
    emit({**plan.to_json(), "hash": plan.hash}, as_json=as_json, text=lambda: click.echo(text))


def _pull_request() -> int:
    """Return the number of the pull request; raise `UsageError` when the environment names none."""
    value = os.environ.get(PULL_REQUEST, "")
    if not value.isdecimal():
        raise UsageError(
            f"{PULL_REQUEST} is {value!r}, not the number of a pull request", mend="set it, or drop --comment"
        )
    return int(value)
