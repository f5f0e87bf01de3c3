"""Before anything is changed: every host reachable, free and with room for two releases, the running one healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.adapters.background import find_engine
from infra.errors import HostError
from infra.rollout.certification import Certification
from infra.rollout.context import RolloutContext, open_context, sharing_connections, who
from infra.rollout.hosts import HostGroup
from infra.rollout.lease_keeper import LeaseKeeper, keep_leases
from infra.rollout.retention import pin_releases
from infra.rollout.verification import examine_before, faults_to_excuse, refuse_unhealthy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.adapters.hostctl import HostctlClient

CALL_TIMEOUT_SECONDS = 30.0
DISK_BYTES = 1024**3


def run_preflight(props: Mapping[str, Any], show: Callable[[str], None]) -> dict[str, Any]:
    """Take the lease on every host and check it; give back what was taken and raise when one cannot be released to.

    Returns the leases by host, and what is at fault before the rollout. The rollout goes on with its connections; up to
    then the leases are renewed here.
    """
    engine = find_engine()
    with sharing_connections(open_context(props), lingers=True) as context:
        # Its data services have refused the running release since they were set up anew, and this one is the mend.
        found = _preflight(context, show, asks_before=not props.get("core_changes"))
        keeper = LeaseKeeper(
            group=HostGroup(clients=context.group.clients, leases=found["leases"]),
            interval_seconds=context.settings.rollout.heartbeat_seconds,
            is_wanted=engine.is_running,
        )
        keep_leases(context.run_id, keeper)
        return found


def _preflight(context: RolloutContext, show: Callable[[str], None], *, asks_before: bool) -> dict[str, Any]:
    """Do it, with one connection per host; `asks_before` says whether the running release has to be healthy."""
    certification = Certification(context=context)
    leases: dict[str, Any] = {}

    def acquire(client: HostctlClient) -> dict[str, Any]:
        answer = client.call(
            "lease",
            timeout_seconds=CALL_TIMEOUT_SECONDS,
            action="acquire",
            holder=context.run_id,
            purpose=f"release {context.release} by {who()}",
            ttl_seconds=context.settings.rollout.lease_seconds,
        )
        leases[client.host.name] = {"holder": answer["lease"]["holder"], "fence": answer["lease"]["fence"]}
        if answer.get("taken_over_from"):
            show(f"{client.host.name}: took over a dead deployer's lease ({answer['taken_over_from']})")
        return answer

    try:
        certification.start()
        context.group.each(acquire)
        serving = context.group.each(lambda client: _inspect(client, context, leases[client.host.name], show))
        pin_releases(HostGroup(clients=context.group.clients, leases=leases), context.settings.rollout, serving)
        # A release without a ready container serves nothing in the edge's words, and is what is asked about here.
        is_there = all(status["serving"] or status.get("current") for status in serving.values())
        before = examine_before(context, serving) if is_there and asks_before else []
        # A rollback is the mend of a release that is not healthy: its health is no reason to keep it.
        if context.settings.checks.healthy_before and not context.settings.rollback_to:
            refuse_unhealthy(before)
        certification.wait_running()
    except BaseException:
        certification.abandon()
        give_back(context, leases)
        raise
    for name, status in serving.items():
        show(f"{name}: serving {_served(status)}, ready for {context.release}")
    for result in before:
        if not result.passed:
            show(f"before the release: {result}")
    return {"leases": leases, "before": faults_to_excuse(context, before)}


def _served(status: Mapping[str, Any]) -> str:
    """Return what a host serves in words; of a release that is not ready, the edge still asks what it has."""
    if status["serving"]:
        return str(status["serving"])
    current = status.get("current")
    return f"{current} (not ready)" if current else "nothing yet"


def give_back(context: RolloutContext, leases: Mapping[str, Mapping[str, Any]]) -> None:
    """Release the leases that are held; what cannot be reached expires by itself."""
    context.group.attempt(
        lambda client: (
            client.call("lease", timeout_seconds=CALL_TIMEOUT_SECONDS, action="release", lease=leases[client.host.name])
            if client.host.name in leases
            else {}
        )
    )


def _inspect(
    client: HostctlClient, context: RolloutContext, lease: Mapping[str, Any], show: Callable[[str], None]
) -> dict[str, Any]:
    """Return the host's status; raise what it lacks, with the figures; say what will have to make room."""
    answer = client.call(
        "preflight",
        timeout_seconds=CALL_TIMEOUT_SECONDS,
        spec=dict(context.spec),
        needed={"disk_bytes": DISK_BYTES},
        lease=dict(lease),
    )
    failed = [check for check in answer["checks"] if not check["ok"]]
    for check in answer["checks"]:
        if check.get("note"):
            show(f"{client.host.name}: {check['note']}")
    if failed:
        reasons = "; ".join(f"{check['name']}: {check['detail']}" for check in failed)
        raise HostError(
            f"{client.host.name} cannot take a second release beside the running one: {reasons}",
            where=f"host {client.host.name}",
            mend="make room or fix what is named, then run again; nothing was changed",
        )
    return client.call("status", timeout_seconds=CALL_TIMEOUT_SECONDS)
