"""`acp-release rollback`: an earlier release again, through the ordinary update."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from infra.adapters.backend_address import backend_place
from infra.adapters.pulumi_cli import stack_outputs, update_stack
from infra.adapters.pulumi_lock import refuse_locked
from infra.cli.options import console, emit, json_option, load, say_asking, stack_option
from infra.cli.rollback_need import is_needed
from infra.domain.rollback import Target, default_target, rollback_message
from infra.domain.rollback_change import describe_rollback
from infra.domain.unrecorded import common_release, unrecorded_target
from infra.errors import RolloutError, UsageError
from infra.paths import PROJECT_ROOT
from infra.rollout.context import host_clients, who
from infra.rollout.warmth import (
    COLD,
    SKIPPED,
    WARM,
    ask_hosts,
    host_returns,
    refuse_impossible,
    refuse_serving,
    serving_releases,
    without_silent,
)
from infra.settings.load import OVERRIDES, RISK_VARIABLE, ROLLBACK_VARIABLE, SKIP_VARIABLE
from infra.settings.recorded import as_recorded
from infra.settings.secrets import read_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rich.console import Console

    from infra.rollout.warmth import HostReturn

MEANING = {
    WARM: "warm: its kept containers start again, with the environment and the secrets of then",
    COLD: "cold: pulled by digest and started anew, with today's secrets",
    SKIPPED: "left alone: it cannot be reached. Once it can, ask for this rollback again with --to",
}
UPDATE_TIMEOUT_SECONDS = 3600.0


@click.command(epilog="Example: acp-release rollback --stack production --to v1.4.1-1a2b3c4d")
@stack_option
@click.option(
    "--to", "wanted", metavar="RELEASE", help="Release to go back to; default: the one that served before what serves."
)
@click.option("--accept-risk", metavar="REASON", help="Go back even if the gate blocks that release; is recorded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--if-needed", is_flag=True, help="Only when this CI run's release stands and the hosts did not go back.")
@json_option
def rollback(
    stack: str, wanted: str | None, accept_risk: str | None, *, yes: bool, if_needed: bool, as_json: bool
) -> None:
    """Show what going back changes, ask, and run the update. Same gate, same rollout, same checks as a release."""
    if if_needed and not is_needed(stack, as_json=as_json):
        return
    settings = load(stack)
    refuse_locked(stack, os.environ)
    say_asking(host.name for host in settings.hosts)
    with ThreadPoolExecutor() as pool:  # both take a second or two
        asking = pool.submit(ask_hosts, host_clients(settings))
        outputs = stack_outputs(stack)
    answers = asking.result()
    serving = serving_releases(answers)
    hosts = [host.name for host in settings.hosts]
    target = find_target(stack, outputs, wanted or None, serving=serving, hosts=hosts)
    as_recorded(settings, target.entry)  # the update would refuse the same, after the question
    returns = without_silent(settings, host_returns(answers, str(target.entry["release"])))
    password = read_secrets(settings, os.environ, root=PROJECT_ROOT)["REGISTRY_PASSWORD"]
    refuse_impossible(settings, password, target.entry, returns)
    plan = make_plan(stack, outputs, target, serving=serving, returns=returns)
    if not (as_json and yes):
        _print(plan, console(stderr=as_json))
    if not yes:
        click.confirm(f"Roll {stack} back to {plan['to']}?", abort=True, err=True)
    asked = {ROLLBACK_VARIABLE: str(plan["to"])}
    if skipped := [item.host for item in returns if item.how == SKIPPED]:
        asked[SKIP_VARIABLE] = json.dumps(skipped)
    if accept_risk:
        asked[RISK_VARIABLE] = accept_risk
    _update(stack, str(plan["to"]), asked, as_json=as_json)
    emit({**plan, "done": True}, as_json=as_json, text=lambda: None)


def find_target(
    stack: str,
    outputs: Mapping[str, Any],
    wanted: str | None,
    *,
    serving: Mapping[str, str | None],
    hosts: Collection[str],
) -> Target:
    """Return the release to go back to; raise `UsageError` when there is none, or it serves already.

    `hosts` are those of the stack, `serving` is what those that answered have committed.
    """
    history: Sequence[Mapping[str, Any]] = outputs.get("history") or []
    if wanted is None:
        target = unrecorded_target(history, serving) or default_target(history)
        if target is None:
            raise UsageError(
                f"stack {stack} has no release before the current one",
                where=f"the backend {backend_place(os.environ)}",
                mend="nothing was changed",
            )
        return target
    refuse_serving(stack, wanted, outputs.get("release_entry") or {}, serving, hosts)
    entry = next((entry for entry in history if entry["release"] == wanted), None)
    if entry is None:
        known = ", ".join(dict.fromkeys(str(entry["release"]) for entry in history)) or "none"
        raise UsageError(f"{wanted} is not in the record of stack {stack}", mend=f"name one of: {known}")
    return Target(entry=entry, why="it was asked for")


def make_plan(
    stack: str,
    outputs: Mapping[str, Any],
    target: Target,
    *,
    serving: Mapping[str, str | None],
    returns: Sequence[HostReturn],
) -> dict[str, Any]:
    """Return what the rollback would do: `{stack, from, to, why, changes, hosts: {name: warm|cold|skipped}}`.

    `from` is what serves, several releases where the hosts differ; where none answered it is the recorded one.
    """
    releases = list(dict.fromkeys(release for release in serving.values() if release))
    return {
        "stack": stack,
        "from": ", ".join(releases) or outputs.get("release"),
        "to": target.entry["release"],
        "why": target.why,
        "changes": _changes(outputs, target, releases),
        "hosts": {item.host: item.how for item in returns},
    }


def _changes(outputs: Mapping[str, Any], target: Target, releases: Sequence[str]) -> list[str]:
    """Return a line per difference from what serves, or from what is recorded where the hosts differ."""
    entries = {entry["release"]: entry for entry in reversed(outputs.get("history") or [])}
    current = entries.get(common_release(releases)) or outputs.get("release_entry") or {}
    unknown = [release for release in releases if release not in entries]
    return [
        *(f"{release} is in no record: what it changed is not known" for release in unknown),
        *describe_rollback(current, target.entry),
    ]


def _print(plan: Mapping[str, Any], screen: Console) -> None:
    screen.print(f"[bold]{plan['stack']}[/bold]: {escape(str(plan['from']))} → {escape(str(plan['to']))}")
    screen.print(f"  why     {escape(plan['why'])}")
    nothing = "nothing: it serves already" if plan["from"] == plan["to"] else "nothing but the release id"
    for line in plan["changes"] or [nothing]:
        screen.print(f"  change  {escape(line)}")
    for host, warmth in plan["hosts"].items():
        screen.print(f"  host    {host} {MEANING[warmth]}")


def _update(stack: str, release: str, asked: Mapping[str, str], *, as_json: bool) -> None:
    """Run the ordinary update for a recorded release, asked for by environment; with `--json` it is on standard error.

    Its exit code does not say what serves: one that lost requests after its commit fails too.
    """
    environ = {**_own_environment(), **asked}
    message = rollback_message(release, who())
    if not update_stack(stack, env=environ, timeout_seconds=UPDATE_TIMEOUT_SECONDS, message=message, to_stderr=as_json):
        raise RolloutError(
            f"the update that goes back to {release} failed",
            mend=f"the reason stands above; what serves: `acp-release status --stack {stack}`",
        )


def _own_environment() -> dict[str, str]:
    """Return our environment without what it asks of an update: the tag of a deploy that went wrong, for one."""
    return {name: value for name, value in os.environ.items() if name not in OVERRIDES}
