"""`acp-release load`: k6 against the release that serves."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra.adapters.backend_address import backend_place
from infra.adapters.pulumi_cli import stack_outputs
from infra.checks.load import choose_profile, choose_scenarios, keep, run_load
from infra.cli.options import console, emit, json_option, load, stack_option
from infra.cli.tables import print_rows
from infra.domain.load_work import MIXED
from infra.errors import CheckError, UsageError
from infra.settings.recorded import as_released

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.domain.load_report import LoadReport

TICK_SECONDS = 0.2
HEADERS = ("scenario", "endpoint", "requests", "failed", "median ms", "p95 ms", "limit", "p99 ms", "max ms")


@click.command(name="load", epilog="Example: acp-release load --stack staging --profile load --scenario search")
@stack_option
@click.option("--profile", required=True, help="Profile of the stack: smoke, light, load, stress, soak, …")
@click.option(
    "--scenario", default=MIXED, help="smoke, ingest, search, agents, or mixed (default): all of the profile."
)
@json_option
def load_command(stack: str, profile: str, scenario: str, *, as_json: bool) -> None:
    """Put the serving release under load and judge it. Exit code 50 when a threshold is missed."""
    settings = load(stack)
    found = choose_profile(settings, profile)
    choose_scenarios(found, profile, scenario)
    outputs = stack_outputs(stack)
    if not outputs.get("release"):
        raise UsageError(
            f"stack {stack} has no release to put under load",
            where=f"the backend {backend_place(os.environ)}",
            mend=f"`pulumi up --stack {stack}`",
        )
    settings = as_released(settings, outputs)
    report = _watched(
        lambda: run_load(
            settings,
            release=outputs["release"],
            images=sorted(outputs["images"].values()),
            profile=profile,
            scenario=scenario,
            environ=os.environ,
        ),
        f"k6 {scenario} of profile {profile}",
        found.duration_seconds,
    )
    path = keep(report)
    emit(report.to_json(), as_json=as_json, text=lambda: _print(report, str(path)))
    if not report.passed:
        raise SystemExit(CheckError.exit_code)


def _watched(work: Callable[[], LoadReport], what: str, seconds: float) -> LoadReport:
    """Do the work while a bar on standard error shows how far it is; preparing and tidying up come on top."""
    screen = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn(f"of about {seconds:g} s"),
    )
    with Progress(*columns, console=screen, transient=True) as progress, ThreadPoolExecutor(1) as pool:
        if not screen.is_terminal:
            screen.print(f"{what}: about {seconds:g} s", highlight=False)
        task, began, done = progress.add_task(what, total=seconds), time.monotonic(), pool.submit(work)
        while not done.done():
            progress.update(task, completed=min(seconds, time.monotonic() - began))
            time.sleep(TICK_SECONDS)
        return done.result()


def _print(report: LoadReport, path: str) -> None:
    """Print the verdict first, then figures and what was missed."""
    screen = console()
    verdict = "passed" if report.passed else "FAILED"
    screen.print(f"{verdict}: {report.scenario} of profile {report.profile}, {report.release}, {report.seconds:.0f} s")
    for problem in report.problems():
        screen.print(f"  {problem}", markup=False)
    rows = []
    for row in report.endpoints:
        times = [f"{value:.1f}" for value in (row.median_ms, row.p95_ms)]
        limit = f"{row.max_p95_ms:g}" if row.max_p95_ms is not None else "-"
        rest = [f"{value:.1f}" for value in (row.p99_ms, row.max_ms)]
        rows.append((row.scenario, row.endpoint, str(row.requests), str(row.failed), *times, limit, *rest))
    print_rows(screen, HEADERS, rows)
    for kind in report.scenarios:
        screen.print(f"{kind.scenario}: {kind.iterations} arrivals at {kind.rate:g} a second, {kind.dropped} dropped")
    screen.print(f"kept in {path}", markup=False)
