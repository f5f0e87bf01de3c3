"""Every container of every service, as its host sees it: not only the one that the edge happens to ask."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.checks.blame import RELEASE, REPLICA, host_name
from infra.checks.result import CheckResult
from infra.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.adapters.hostctl import HostctlClient
    from infra.checks.inquiry import Inquiry
    from infra.checks.subject import Subject

CALL_SECONDS = 20.0
LOOK_SECONDS = 0.5
SETTLE_SECONDS = 8.0
STATUS = "hostctl status"
READY_SECONDS = 2.0
AT_THE_EDGE = "the edge finds"
ALL_UP: Mapping[str, Any] = {"up": 0, "servers": 0}
"""What the edge says of a service that it does not serve."""
LOOK_AT = "`acp-release status --stack STACK`, and the container's log"


async def check_replicas(inquiry: Inquiry) -> list[CheckResult]:
    """Ask every host for its containers until all are as they should be, or the time is over."""
    found = await asyncio.gather(*(_host(inquiry, client) for client in inquiry.subject.hosts))
    return [result for results in found for result in results]


async def _host(inquiry: Inquiry, client: HostctlClient) -> list[CheckResult]:
    began, results, status = time.monotonic(), [], {}

    async def is_good() -> bool:
        nonlocal results, status
        try:
            status = await inquiry.host(client, "status", at_most_seconds=CALL_SECONDS)
        except ReleaseError as error:
            results = [unreachable("replicas", client.host.name, STATUS, error)]
            return False
        results = judge_status(status, inquiry.subject, client.host.name)
        return all(result.passed for result in results)

    patience = min(SETTLE_SECONDS, inquiry.remaining_seconds - 2 * READY_SECONDS)
    await inquiry.until(is_good, within_seconds=patience, every_seconds=LOOK_SECONDS)
    if any(result.came.startswith(AT_THE_EDGE) for result in results):
        results = await _with_replica(inquiry, client, results, status)
    return [replace(result, seconds=time.monotonic() - began) for result in results]


async def _with_replica(
    inquiry: Inquiry, client: HostctlClient, results: list[CheckResult], status: Mapping[str, Any]
) -> list[CheckResult]:
    """Return the results with the name of the replica that is not ready: the edge only counts, the host asks each."""
    release = _asked(inquiry.subject, status)
    try:
        await inquiry.host(
            client, "ready", at_most_seconds=2 * READY_SECONDS, release=release, within_seconds=READY_SECONDS
        )
    except ReleaseError as error:
        reason = error.what.splitlines()[0]
        return [_named(result, reason, status["releases"][release]) for result in results]
    return results


def _named(result: CheckResult, reason: str, containers: list[Mapping[str, Any]]) -> CheckResult:
    """Return a result of too few replicas at the edge with the one that the host's reason names."""
    name = next((container["name"] for container in containers if container["name"] in reason), None)
    if name is None or not result.came.startswith(AT_THE_EDGE):
        return result
    (service,) = result.dependencies
    return replace(result, came=f"{result.came}: {reason}", dependencies=(f"{service}{REPLICA}{name}",))


def unreachable(check: str, host: str, asked: str, error: ReleaseError) -> CheckResult:
    """Return the result of a host that could not be asked."""
    return CheckResult(
        check=check,
        target=host,
        passed=False,
        asked=asked,
        came=error.what.splitlines()[0],
        seconds=0.0,
        look_at=error.mend or "the host",
        dependencies=(host_name(host),),
    )


def judge_status(status: Mapping[str, Any], subject: Subject, host: str) -> list[CheckResult]:
    """Return a result for each service of the release, and for each data service that is not well."""
    wanted = _asked(subject, status)
    containers = status["releases"].get(wanted)
    if not containers:
        serving = status.get("serving") or "nothing"
        came = f"the host serves {serving} and has no containers of {wanted or 'any release'}"
        return [_result(host, came, (RELEASE,))]
    results = []
    for name, service in subject.settings.services.items():
        own = [container for container in containers if container["service"] == service.compose_service]
        # Of a release that is not known here only what is there is judged: it may have had other services.
        count = subject.replicas.get(name, len(own))
        if own or count:
            edge = _edge_row(status, name, wanted) if service.routes else ALL_UP
            blames, came = _judge(name, own, count, edge)
            results.append(_result(f"{name} on {host}", came, blames))
    core = [container for container in status.get("core", []) if not _is_well(container)]
    return results + [
        _result(f"{container['name']} on {host}", _state(container), (container["service"],)) for container in core
    ]


def _asked(subject: Subject, status: Mapping[str, Any]) -> str:
    """Return the release that is asked about, empty without any.

    Where that may be any, it is the one that serves; while the edge finds none of its replicas ready, it still is.
    """
    return str(subject.release or status.get("serving") or status.get("current") or "")


def _judge(
    name: str, own: list[Mapping[str, Any]], count: int, edge: Mapping[str, Any] | None
) -> tuple[tuple[str, ...], str]:
    """Return to what one service's containers point, nothing when all is well, and what came."""
    down = [container for container in own if not _is_well(container)]
    if down:
        came = ", ".join(f"{container['name']} {_state(container)}" for container in down)
        alone = tuple(f"{name}{REPLICA}{container['name']}" for container in down)
        return alone if len(down) < len(own) else (name,), came
    if len(own) != count:
        return (name,), f"{len(own)} containers, not {count}"
    if edge is None:
        return (name,), "the edge has no servers of it"
    if edge["up"] < edge["servers"]:
        return (name,), f"{AT_THE_EDGE} {edge['up']} of {edge['servers']} replicas ready"
    return (), f"{len(own)} of {count} run"


def _edge_row(status: Mapping[str, Any], service: str, release: str) -> Mapping[str, Any] | None:
    rows = (row for found in status["services"] if found["name"] == service for row in found["releases"])
    return next((row for row in rows if row["release"] == release), None)


def _is_well(container: Mapping[str, Any]) -> bool:
    # Docker looks at a new container only when the interval of its health check is over. Before, hostctl has run that
    # check itself, or it passed before the container was parked.
    return container["state"] == "running" and container["health"] in {None, "healthy", "starting"}


def _state(container: Mapping[str, Any]) -> str:
    word = f" ({container['health']})" if container["health"] and container["state"] == "running" else ""
    return f"is {container['state']}{word}"


def _result(target: str, came: str, blames: tuple[str, ...]) -> CheckResult:
    return CheckResult(
        check="replicas",
        target=target,
        passed=not blames,
        asked=STATUS,
        came=came,
        seconds=0.0,
        look_at=LOOK_AT if blames else "",
        dependencies=blames,
    )
