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
    from infra.settings import Settings
    from infra.settings.model import Service

CALL_SECONDS = 20.0
LOOK_SECONDS = 0.5
SETTLE_SECONDS = 8.0
STATUS = "hostctl status"
READY_SECONDS = 2.0
AT_THE_EDGE = "the edge finds"
LOOK_AT = "`acp-release status`, and the container's log"


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
        results = judge_status(status, inquiry.settings, client.host.name, inquiry.subject.release)
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
    release = inquiry.subject.release or status["serving"]
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


def judge_status(status: Mapping[str, Any], settings: Settings, host: str, release: str | None) -> list[CheckResult]:
    """Return a result for each service of the release, and for each data service that is not well."""
    wanted = release or status.get("serving")
    containers = status["releases"].get(wanted)
    if not wanted or not containers:
        serving = status.get("serving") or "nothing"
        came = f"the host serves {serving} and has no containers of {wanted or 'any release'}"
        return [_result(host, came, (RELEASE,))]
    results = [
        _service(name, service, containers, _edge_row(status, name, wanted), host, is_known=release is not None)
        for name, service in settings.services.items()
    ]
    core = [container for container in status.get("core", []) if not _is_well(container)]
    return results + [
        _result(f"{container['name']} on {host}", _state(container), (container["service"],)) for container in core
    ]


def _service(
    name: str,
    service: Service,
    containers: list[Mapping[str, Any]],
    edge: Mapping[str, Any] | None,
    host: str,
    *,
    is_known: bool,
) -> CheckResult:
    """Return the result of one service; of a release made with other settings only what is there is judged."""
    own = [container for container in containers if container["service"] == service.compose_service]
    target = f"{name} on {host}"
    down = [container for container in own if not _is_well(container)]
    if down and len(down) < len(own):
        came = ", ".join(f"{container['name']} {_state(container)}" for container in down)
        return _result(target, came, tuple(f"{name}{REPLICA}{container['name']}" for container in down))
    if down or not own:
        came = ", ".join(f"{container['name']} {_state(container)}" for container in down) or "there is no container"
        return _result(target, came, (name,))
    if is_known and len(own) != service.replicas:
        return _result(target, f"{len(own)} containers, not {service.replicas}", (name,))
    if edge is not None and edge["up"] < edge["servers"]:
        return _result(target, f"{AT_THE_EDGE} {edge['up']} of {edge['servers']} replicas ready", (name,))
    if edge is None and service.routes is not None:
        return _result(target, "the edge has no servers of it", (name,))
    return _result(target, f"{len(own)} of {len(own)} run", ())


def _edge_row(status: Mapping[str, Any], service: str, release: str) -> Mapping[str, Any] | None:
    rows = (row for found in status["services"] if found["name"] == service for row in found["releases"])
    return next((row for row in rows if row["release"] == release), None)


def _is_well(container: Mapping[str, Any]) -> bool:
    # Docker looks at a new container only when the interval of its health check is over. By then hostctl has run that
    # check, or asked the container itself, and started nothing that failed.
    return container["state"] == "running" and container["health"] in {None, "healthy", "starting"}


def _state(container: Mapping[str, Any]) -> str:
    health = container["health"]
    return f"is {container['state']}" + (f" ({health})" if health and container["state"] == "running" else "")


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
