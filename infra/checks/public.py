"""Checks of what a careful operator wants of the public address: metrics, and the way to HTTPS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from infra.checks.ask import send

if TYPE_CHECKING:
    from infra.checks.inquiry import Inquiry
    from infra.checks.result import CheckResult
    from infra.checks.target import Target
    from infra.settings.model import Host, Tls

METRICS = "/metrics"
COUNTER = "acp_requests_total"
HSTS = "strict-transport-security"
EDGE = "edge"


async def check_metrics(inquiry: Inquiry) -> list[CheckResult]:
    """Ask every web service for its metrics."""
    return list(await asyncio.gather(*(_metrics(inquiry, target) for target in inquiry.subject.targets)))


async def _metrics(inquiry: Inquiry, target: Target) -> CheckResult:
    answer = await inquiry.ask(target, "GET", METRICS)
    passed = answer.is_success and COUNTER in answer.text
    came = f"{COUNTER} is there" if passed else f"{answer.came}, without {COUNTER}"
    return answer.judged("metrics", target.name, passed=passed, came=came, blames=(target.service_name,))


async def check_redirect(inquiry: Inquiry) -> list[CheckResult]:
    """Ask every host by HTTP, and whether HTTPS asks browsers to stay there."""
    tls = inquiry.settings.edge.tls
    if tls is None:
        return []
    found = await asyncio.gather(*(_redirect(inquiry, host, tls) for host in inquiry.settings.hosts))
    targets = inquiry.subject.targets_of(inquiry.settings.checks.ingest_service)
    return [*found, *await asyncio.gather(*(_stay(inquiry, target) for target in targets))]


async def _redirect(inquiry: Inquiry, host: Host, tls: Tls) -> CheckResult:
    port = inquiry.settings.edge.http_port
    answer = await send(
        inquiry.http,
        "GET",
        f"http://{host.reach(port)}/",
        shown=f"/ on port {port}",
        timeout_seconds=inquiry.remaining_seconds,
        headers={"Host": tls.server_name},
        follow_redirects=False,
    )
    leads = answer.headers.get("location", "")
    passed = answer.status in {301, 302, 307, 308} and leads.startswith(f"https://{tls.server_name}")
    came = f"{answer.came} to {leads}" if leads else answer.came
    look_at = "edge.tls.redirect"
    return answer.judged("redirect", host.name, passed=passed, came=came, look_at=look_at, blames=(EDGE,))


async def _stay(inquiry: Inquiry, target: Target) -> CheckResult:
    answer = await inquiry.health(target)
    asks = answer.headers.get(HSTS, "")
    return answer.judged(
        "redirect",
        target.name,
        passed="max-age=" in asks and "max-age=0" not in asks.replace('"', ""),
        came=f"{HSTS}: {asks or 'not there'}",
        look_at="edge.tls.hsts_seconds",
        blames=(EDGE,) if answer.status is not None else (target.service_name,),
    )
