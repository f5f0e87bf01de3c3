"""Health checks over HTTP: side by side, with a deadline, K passes in a row, judged on the body."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from infra.checks.result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.checks.target import Target
    from infra.settings.checks import Checks
    from infra.settings.model import Health, Readiness

REQUEST_TIMEOUT_SECONDS = 10.0
LEAST_TIMEOUT_SECONDS = 0.5
RELEASE_HEADER = "X-ACP-Release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question to one target and the answer it must get."""

    check: str
    target: Target
    path: str
    field: str
    equals: str


def health_probes(targets: Sequence[Target]) -> list[Probe]:
    """Return readiness and health of every target."""
    return [
        Probe(check=check, target=target, path=rule.path, field=rule.field, equals=rule.equals)
        for target in targets
        for check, rule in _rules(target)
    ]


def _rules(target: Target) -> list[tuple[str, Health | Readiness]]:
    return [("readiness", target.service.readiness), ("health", target.service.health)]


def run_probes(probes: Sequence[Probe], settings: Checks) -> list[CheckResult]:
    """Ask all probes side by side until each passed in a row or the deadline is over; return one result each."""
    return asyncio.run(_run_all(probes, settings))


async def _run_all(probes: Sequence[Probe], settings: Checks) -> list[CheckResult]:
    # A transport of our own: hosts and tunnels are asked directly, whatever proxy the environment names.
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport()) as client:
        return list(await asyncio.gather(*(_run_one(client, probe, settings) for probe in probes)))


async def _run_one(client: httpx.AsyncClient, probe: Probe, settings: Checks) -> CheckResult:
    """Return the last answer's verdict once the passes are complete or the time is over."""
    start = time.monotonic()
    deadline = start + settings.timeout_seconds
    passes = 0
    while True:
        answer = await _ask(client, probe, timeout_seconds=max(deadline - time.monotonic(), LEAST_TIMEOUT_SECONDS))
        passes = passes + 1 if answer.passed else 0
        if passes >= settings.passes or time.monotonic() + settings.interval_seconds >= deadline:
            return answer if not answer.passed or passes >= settings.passes else _unstable(answer, passes, settings)
        await asyncio.sleep(settings.interval_seconds)


async def _ask(client: httpx.AsyncClient, probe: Probe, *, timeout_seconds: float) -> CheckResult:
    url = probe.target.base_url + probe.path
    start = time.monotonic()
    try:
        response = await client.get(
            url,
            headers=probe.target.request_headers,
            extensions=dict(probe.target.extensions),
            timeout=min(timeout_seconds, REQUEST_TIMEOUT_SECONDS),
        )
    except httpx.HTTPError as error:
        came, passed, look_at = f"no answer ({type(error).__name__})", False, "is it running? `acp-release status`"
    else:
        passed, came, look_at = judge_answer(probe, response.status_code, dict(response.headers), response.text)
    return CheckResult(
        check=probe.check,
        target=probe.target.name,
        passed=passed,
        asked=f"GET {probe.path}",
        came=came,
        seconds=time.monotonic() - start,
        look_at=look_at,
    )


def judge_answer(probe: Probe, status: int, headers: dict[str, str], body: str) -> tuple[bool, str, str]:
    """Return whether the answer passes, what came, and what to look at: status, body and release must all fit."""
    lowered = {key.lower(): value for key, value in headers.items()}
    if status != httpx.codes.OK:
        return False, f"status {status}", "the container's log"
    try:
        document: Any = json.loads(body)
    except ValueError:
        return False, "no JSON", "the container's log"
    found = document.get(probe.field) if isinstance(document, dict) else None
    if str(found) != probe.equals:
        return False, f"{probe.field} is {found!r}, not {probe.equals!r}{_down(document)}", _look_at(document)
    release = lowered.get(RELEASE_HEADER.lower())
    if probe.target.release is not None and release != probe.target.release:
        return False, f"answered by release {release}, not {probe.target.release}", "`acp-release status`"
    return True, f"{probe.field} is {found}", ""


def failing_dependencies(document: object) -> list[str]:
    """Return the dependencies an unhealthy answer names (`services` or `critical_services`)."""
    if not isinstance(document, dict):
        return []
    services = document.get("services") or document.get("critical_services") or {}
    good = {"healthy", "ready", "ok", "up", "connected", "true"}
    return [
        name
        for name, state in (services.items() if isinstance(services, dict) else ())
        if str(state.get("status") if isinstance(state, dict) else state).lower() not in good
    ]


def _down(document: object) -> str:
    names = failing_dependencies(document)
    return f": {', '.join(names)}" if names else ""


def _look_at(document: object) -> str:
    names = failing_dependencies(document)
    return f"{', '.join(names)} of the app" if names else "the container's log"


def _unstable(answer: CheckResult, passes: int, settings: Checks) -> CheckResult:
    """Return the failure of a target that passes now and then, but not often enough in a row."""
    return CheckResult(
        check=answer.check,
        target=answer.target,
        passed=False,
        asked=answer.asked,
        came=f"{passes} of {settings.passes} passes in a row until the deadline",
        seconds=answer.seconds,
        look_at="the container's log: does it flap?",
    )
