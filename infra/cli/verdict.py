"""What `check` and `smoke` share: whom they ask, and how the results leave the program."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape

from infra.adapters.backend_address import backend_place
from infra.adapters.pulumi_cli import stack_outputs
from infra.checks.blame import at_fault
from infra.checks.junit import write_junit
from infra.checks.subject import public_subject, replicas_of
from infra.checks.suite import examine
from infra.cli.options import console, emit, load
from infra.cli.tables import print_rows
from infra.domain.differences import STACK
from infra.errors import CheckError, SecretMissingError
from infra.paths import PROJECT_ROOT
from infra.rollout.context import host_clients
from infra.settings.recorded import as_released
from infra.settings.secrets import read_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.checks.occasion import Occasion
    from infra.checks.result import CheckResult
    from infra.checks.subject import Subject
    from infra.checks.suite import Examination
    from infra.settings import Settings

HEADERS = ("verdict", "check", "target", "asked", "came", "seconds", "at fault", "look at")
junit_option = click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the results as JUnit XML to this file too."
)
release_option = click.option("--release", help="Release that must serve (default: the recorded one).")


def run_occasion(
    stack: str, occasion: Occasion, *, release: str | None, title: str, as_json: bool, junit: Path | None
) -> None:
    """Examine what the public of a stack gets, show it, and leave with exit code 50 when it is not good."""
    subject = find_subject(stack, release)
    with Console(stderr=True).status(f"asking {stack} …"):
        found = _of_stack(stack, examine(subject, occasion))
    good = bool(found.results) and not any(result.fails_release for result in found.results)
    document = {"stack": stack, "release": subject.release, "passed": good, **_document(found)}
    if junit:
        write_junit(junit, f"{title} of {stack}", found.results)
    emit(document, as_json=as_json, text=lambda: _print(document, found.results))
    if not good:
        raise SystemExit(CheckError.exit_code)


def find_subject(stack: str, release: str | None) -> Subject:
    """Return the release that must serve a stack, on every host."""
    settings, outputs = load(stack), stack_outputs(stack)
    recorded = outputs.get("release")
    wanted = release or recorded
    if not wanted:
        raise CheckError(
            f"stack {stack} has released nothing yet",
            where=f"the backend {backend_place(os.environ)}",
            mend=f"`pulumi up --stack {stack}`",
        )
    replicas = {}
    if wanted == recorded:
        replicas, settings = replicas_of(outputs["release_entry"]["spec"]), as_released(settings, outputs)
    return public_subject(
        settings, host_clients(settings), release=wanted, secrets=_secrets(settings), replicas=replicas
    )


def _secrets(settings: Settings) -> Mapping[str, str]:
    """Return the stack's secrets where this machine has them all; the checks that want them say what they lack."""
    try:
        return read_secrets(settings, os.environ, root=PROJECT_ROOT).values
    except SecretMissingError:
        return {}


def _of_stack(stack: str, found: Examination) -> Examination:
    """Return results whose commands name the stack, so that they can be typed."""
    results = [replace(result, look_at=result.look_at.replace(STACK, f"--stack {stack}")) for result in found.results]
    return replace(found, results=tuple(results))


def _document(found: Examination) -> dict[str, Any]:
    return {
        "at_fault": at_fault(found.results),
        "seconds": round(found.seconds, 2),
        "checks": [result.to_json() for result in found.results],
    }


def _print(document: Mapping[str, Any], results: Sequence[CheckResult]) -> None:
    screen = console()
    print_rows(screen, HEADERS, [_row(result) for result in results])
    failed = sum(not result.passed for result in results)
    faults = f"; at fault: {', '.join(document['at_fault'])}" if document["at_fault"] else ""
    screen.print(escape(f"{document['release']}: {failed} of {len(results)} failed in {document['seconds']} s{faults}"))


def _row(result: CheckResult) -> tuple[str, ...]:
    """Return the cells of one result."""
    fault = f"follows from {', '.join(result.follows_from)}" if result.follows_from else ""
    return (
        result.verdict,
        result.check,
        result.target,
        result.asked,
        result.came,
        f"{result.seconds:.2f}",
        fault or ", ".join(result.dependencies),
        result.look_at,
    )
