"""What a failed update was to release: as the gate cleared it, and as the hosts were told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.adapters.stack_history import find_resource
from infra.audit.hosts import PURPOSE
from infra.domain.rollback import read_message
from infra.domain.text_form import from_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.adapters.stack_history import StackHistory, Update
    from infra.audit.hosts import HostAudit

CLEARANCE = "gate-clearance"
KINDS = {"rollback_to": "rollback", "image_tag": "promotion"}


def attempt_of(history: StackHistory, update: Update, hosts: Sequence[HostAudit]) -> dict[str, Any]:
    """Return `release`, `version`, `kind`, `who`, `reason` and `reached_hosts` of a failed update, as far as known."""
    return {**read_message(update.document.message), **_cleared(history, update), **_seen(update, hosts)}


def _cleared(history: StackHistory, update: Update) -> dict[str, Any]:
    """Return what the gate cleared in this update; nothing when it never came to that."""
    if not (update.document.changes or {}).get("update") and not (update.document.changes or {}).get("create"):
        return {}
    clearance = find_resource(history.checkpoint(update), CLEARANCE)
    modified = str(clearance.get("modified") or "")
    if not modified or modified[:19] < update.document.started_at.isoformat()[:19]:
        return {}
    inputs: Mapping[str, Any] = clearance.get("inputs") or {}
    release, settings = str(inputs.get("release") or ""), from_text(inputs.get("settings") or {})
    kind = next((kind for key, kind in KINDS.items() if settings.get(key)), "release")
    return {"release": release, "version": release.rpartition("-")[0], "kind": kind}


def _seen(update: Update, hosts: Sequence[HostAudit]) -> dict[str, Any]:
    """Return what the hosts journaled while the update ran."""
    found: dict[str, Any] = {}
    for host in hosts:
        for lease in host.during(host.leases, update):
            purpose = PURPOSE.match(str(lease.get("purpose") or ""))
            if purpose:
                release = purpose["release"]
                found |= {"reached_hosts": True, "who": purpose["who"].partition("@")[0], "release": release}
                found["version"] = release.rpartition("-")[0]
        for revert in host.during(host.reverts, update):
            found |= {"reached_hosts": True, "reason": str(revert.get("reason") or "")}
    return found
