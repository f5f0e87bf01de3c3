"""`acp-release check`: the health checks of the release that serves, through the public address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table

from infra.adapters.pulumi_cli import stack_outputs
from infra.checks.health import health_probes, run_probes
from infra.checks.target import public_targets
from infra.cli.options import console, emit, json_option, load, stack_option
from infra.errors import CheckError

if TYPE_CHECKING:
    from infra.checks.result import CheckResult


@click.command(epilog="Example: acp-release check --stack local")
@stack_option
@json_option
def check(stack: str, *, as_json: bool) -> None:
    """Ask every service of every host for readiness and health. Exit code 50 when one check fails."""
    settings = load(stack)
    release = stack_outputs(stack).get("release")
    results = run_probes(health_probes(public_targets(settings, release)), settings.checks)
    emit([result.to_json() for result in results], as_json=as_json, text=lambda: _print(results))
    if not results or not all(result.passed for result in results):
        raise SystemExit(CheckError.exit_code)


def _print(results: list[CheckResult]) -> None:
    table = Table("verdict", "check", "target", "asked", "came", "seconds", "look at")
    for result in results:
        verdict = "ok" if result.passed else "FAILED"
        table.add_row(
            verdict, result.check, result.target, result.asked, result.came, f"{result.seconds:.2f}", result.look_at
        )
    console().print(table)
