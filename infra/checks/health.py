"""Readiness and health of every web service: with a deadline, K passes in a row, judged on the body."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx

from infra.checks.ask import LOG
from infra.checks.blame import RELEASE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.checks.ask import Answer
    from infra.checks.inquiry import Inquiry
    from infra.checks.result import CheckResult
    from infra.checks.target import Target
    from infra.settings.model import Health, Readiness

RELEASE_HEADER = "X-ACP-Release"
GOOD = frozenset({"healthy", "ready", "ok", "up", "connected", "true"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question to one target and the answer it must get."""

    check: str
    target: Target
    path: str
    field: str
    equals: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one answer says: whether it passes, what came, and to what a failure points."""

    passed: bool
    came: str
    look_at: str = ""
    blames: tuple[str, ...] = ()


async def check_readiness(inquiry: Inquiry) -> list[CheckResult]:
    """Ask every web service whether it is ready."""
    return await _passes(inquiry, [_probe("readiness", t, t.service.readiness) for t in inquiry.subject.targets])


async def check_health(inquiry: Inquiry) -> list[CheckResult]:
    """Ask every web service how it and its dependencies are."""
    return await _passes(inquiry, [_probe("health", t, t.service.health) for t in inquiry.subject.targets])


def _probe(check: str, target: Target, rule: Health | Readiness) -> Probe:
    return Probe(check=check, target=target, path=rule.path, field=rule.field, equals=rule.equals)


async def _passes(inquiry: Inquiry, probes: Sequence[Probe]) -> list[CheckResult]:
    return list(await asyncio.gather(*(_pass(inquiry, probe) for probe in probes)))


async def _pass(inquiry: Inquiry, probe: Probe) -> CheckResult:
    """Return the last answer's verdict once it passed often enough in a row or the time is over."""
    start, passes, result = time.monotonic(), 0, None

    async def look() -> bool:
        nonlocal passes, result
        result = judged(probe, await inquiry.ask(probe.target, "GET", probe.path))
        passes = passes + 1 if result.passed else 0
        return passes >= inquiry.passes

    stable = await inquiry.until(
        look, within_seconds=inquiry.remaining_seconds, every_seconds=inquiry.settings.checks.interval_seconds
    )
    assert result is not None  # noqa: S101 - it has looked at least once
    seconds = time.monotonic() - start
    if stable or not result.passed:
        return replace(result, seconds=seconds)
    return replace(
        result,
        passed=False,
        came=f"{passes} of {inquiry.passes} passes in a row until the deadline",
        seconds=seconds,
        look_at=f"{LOG}: does it flap?",
        dependencies=(probe.target.service_name,),
    )


def judged(probe: Probe, answer: Answer) -> CheckResult:
    """Return the result that one answer gives."""
    verdict = judge_answer(probe, answer)
    return answer.judged(
        probe.check,
        probe.target.name,
        passed=verdict.passed,
        came=verdict.came,
        look_at=verdict.look_at,
        blames=verdict.blames or (probe.target.service_name,),
    )


def judge_answer(probe: Probe, answer: Answer) -> Verdict:
    """Return what an answer says: status, body and release must all fit."""
    setting = f"`{probe.check}.{{}}` of acp:services.{probe.target.service_name}: is it the app's?"
    if answer.status != httpx.codes.OK:
        look_at = setting.format("path") if answer.status == httpx.codes.NOT_FOUND else ""
        return Verdict(passed=False, came=answer.came, look_at=look_at, blames=failing_dependencies(answer.document))
    if answer.document is None:
        return Verdict(passed=False, came="no JSON")
    found = told(answer.document, probe.field)
    if found != probe.equals:
        names = failing_dependencies(answer.document)
        down = f": {', '.join(names)}" if names else ""
        elsewhere = setting.format("field") if found is None else ""
        return Verdict(
            passed=False,
            came=f"{probe.field} is {found!r}, not {probe.equals!r}{down}",
            look_at=f"{', '.join(names)} of the app" if names else elsewhere,
            blames=names,
        )
    release = answer.headers.get(RELEASE_HEADER.lower())
    if probe.target.release is not None and release != probe.target.release:
        came = f"answered by release {release}, not {probe.target.release}"
        return Verdict(passed=False, came=came, look_at="`acp-release status --stack STACK`", blames=(RELEASE,))
    return Verdict(passed=True, came=f"{probe.field} is {found}")


def told(document: object, field: str) -> str | None:
    """Return what a JSON answer says in `field`, a path with dots, as text; None where it has none.

    Booleans are text as JSON writes them: the host and the edge read the same answers.
    """
    for part in field.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    if document is None:
        return None
    return json.dumps(document) if isinstance(document, bool) else str(document)


def failing_dependencies(document: object) -> tuple[str, ...]:
    """Return the dependencies an unhealthy answer names (`services` or `critical_services`)."""
    if not isinstance(document, dict):
        return ()
    services = document.get("services") or document.get("critical_services") or {}
    return tuple(
        str(name) for name, state in (services.items() if isinstance(services, dict) else ()) if not is_good(state)
    )


def is_good(state: object) -> bool:
    """Whether the state of a dependency, as the app tells it, is a good one."""
    return str(state.get("status") if isinstance(state, dict) else state).lower() in GOOD
