"""What is kept on the hosts after a release, and what goes, said with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.adapters.hostctl import HostctlClient
    from infra.rollout.hosts import HostGroup
    from infra.settings.rollout import Rollout

PIN_TIMEOUT_SECONDS = 900.0
"""A host that is still ending something by itself is waited for."""


def prune_host(
    client: HostctlClient,
    rollout: Rollout,
    lease: Mapping[str, Any] | None,
    *,
    timeout_seconds: float,
    show: Callable[[str], None],
) -> dict[str, Any]:
    """Remove the parked releases of a host beyond what is kept, and say which went and why."""
    pinned = list(rollout.pinned)
    done = client.call("prune", timeout_seconds=timeout_seconds, keep=rollout.keep, pinned=pinned, lease=lease)
    for release in done["removed"]:
        show(f"{client.host.name}: pruned {release}, {done['reason']}")
    return done


def pin_releases(group: HostGroup, rollout: Rollout, serving: Mapping[str, Mapping[str, Any]]) -> None:
    """Tell the hosts that do not know it yet what is pinned, before anything may be removed for want of room."""
    pinned = list(rollout.pinned)
    behind = [name for name, status in serving.items() if list(status.get("pinned") or []) != pinned]
    if behind:
        group.only(behind).call("pin", timeout_seconds=PIN_TIMEOUT_SECONDS, pinned=pinned)
