"""`acp-release rollback`: an earlier release again, through the ordinary update."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click

from infra.adapters.pulumi_cli import stack_outputs
from infra.cli.options import console, emit, json_option, load, stack_option
from infra.cli.rollback_need import is_needed
from infra.domain.change import describe_change
from infra.domain.rollback import Target, default_target
from infra.errors import ReleaseError, RolloutError, UsageError
from infra.paths import PROJECT_ROOT
from infra.rollout.context import host_clients
from infra.settings.load import OVERRIDES, RISK_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATUS_TIMEOUT_SECONDS = 30.0
UPDATE_TIMEOUT_SECONDS = 3600.0


@click.command(epilog="Example: acp-release rollback --stack production --to v1.4.1-1a2b3c4d")
@stack_option
@click.option("--to", "wanted", metavar="RELEASE", help="Release to go back to; default: the one that served before.")
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
    outputs = stack_outputs(stack)
    target = find_target(stack, outputs, wanted or None)
    plan = make_plan(stack, outputs, target)
    if not (as_json and yes):
        emit(plan, as_json=as_json, text=lambda: _print(plan))
    if not yes:
        click.confirm(f"Roll {stack} back to {plan['to']}?", abort=True, err=True)
    _update(stack, str(plan["to"]), accept_risk=accept_risk or "", quiet=as_json)
    if as_json and yes:
        emit({**plan, "done": True}, as_json=True, text=lambda: None)


def find_target(stack: str, outputs: Mapping[str, Any], wanted: str | None) -> Target:
    """Return the release to go back to; raise `UsageError` when there is none, or it serves already."""
    history: Sequence[Mapping[str, Any]] = outputs.get("history") or []
    if wanted is None:
        target = default_target(history)
        if target is None:
            raise UsageError(f"stack {stack} has no release before the current one", mend="nothing was changed")
        return target
    if wanted == outputs.get("release"):
        raise UsageError(f"{wanted} is what stack {stack} serves already", mend="`acp-release status` shows it")
    entry = next((entry for entry in history if entry["release"] == wanted), None)
    if entry is None:
        known = ", ".join(dict.fromkeys(str(entry["release"]) for entry in history)) or "none"
        raise UsageError(f"{wanted} is not in the record of stack {stack}", mend=f"name one of: {known}")
    return Target(entry=entry, why="it was asked for")


def make_plan(stack: str, outputs: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """Return what the rollback would do: `{stack, from, to, why, changes, hosts: {name: warm|cold}}`."""
    clients = host_clients(load(stack))
    release = target.entry["release"]

    def warmth(index: int) -> tuple[str, str]:
        client = clients[index]
        try:
            parked = client.call("status", timeout_seconds=STATUS_TIMEOUT_SECONDS)["parked"]
        except ReleaseError as error:
            return client.host.name, f"unreachable: {error.what}"
        return client.host.name, "warm" if release in parked else "cold"

    with ThreadPoolExecutor() as pool:
        hosts = dict(pool.map(warmth, range(len(clients))))
    current = outputs.get("release_entry") or {}
    return {
        "stack": stack,
        "from": outputs.get("release"),
        "to": release,
        "why": target.why,
        "changes": describe_change(current.get("summary") or {}, target.entry["summary"]),
        "hosts": hosts,
    }


def _print(plan: Mapping[str, Any]) -> None:
    screen = console()
    screen.print(f"[bold]{plan['stack']}[/bold]: {plan['from']} → {plan['to']}")
    screen.print(f"  why     {plan['why']}")
    for line in plan["changes"] or ["nothing but the release id"]:
        screen.print(f"  change  {line}")
    meaning = {
        "warm": "warm: the kept containers, with the secrets of then",
        "cold": "cold: pulled again, today's secrets",
    }
    for host, warmth in plan["hosts"].items():
        screen.print(f"  host    {host} {meaning.get(warmth, warmth)}")


def _update(stack: str, release: str, *, accept_risk: str, quiet: bool) -> None:
    """Run the ordinary update for a recorded release; its output goes where ours does."""
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
    done = subprocess.run(  # noqa: S603 - an argv list, never a shell
        argv,
        env={**_own_environment(), "ACP_ROLLBACK_TO": release, **({RISK_VARIABLE: accept_risk} if accept_risk else {})},
        stdout=subprocess.DEVNULL if quiet else None,
        timeout=UPDATE_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RolloutError(
            f"the rollback to {release} was not made; the release before it serves", mend="the reason stands above"
        )


def _own_environment() -> dict[str, str]:
    """Return our environment without what it asks of an update: the tag of a deploy that went wrong, for one."""
    return {name: value for name, value in os.environ.items() if name not in OVERRIDES}
