"""Whether a deploy that ended badly has to be taken back, or the hosts did that already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from infra.domain.run_ids import are_same_run
from infra.domain.unrecorded import common_release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is to be done and why: nothing, roll back, record what serves, or wait until the hosts have settled."""

    action: Literal["nothing", "roll back", "record", "wait"]
    why: str


def rollback_need(entry: Mapping[str, Any], run_id: str | None, hosts: Sequence[Mapping[str, Any]]) -> Need:
    """Return what a bad end calls for.

    `entry` is the recorded release, `run_id` that of the CI run that ended badly (None by hand), `hosts` what each
    host says of itself: `{host, serving, candidate, error?}`. A release that this very run recorded was verified by
    the update and found bad after it. Any other record stands, also that of a rollback, and then the hosts decide:
    a release that all of them committed was verified, and only what came after that failed its update.
    """
    release = entry.get("release")
    if not release:
        return Need(action="nothing", why="nothing was ever released here, so there is nothing to go back to")
    is_ours = run_id is not None and are_same_run(str(entry.get("run_id") or ""), run_id)
    is_own = is_ours and entry.get("kind") != "rollback"
    if is_own:
        return Need(action="roll back", why=f"this run released {release}, and what came after found it bad")
    if committed := _committed(hosts, release):
        why = f"every host serves {committed}, verified and committed, and the record still says {release}"
        return Need(action="record", why=why)
    unsettled = [text for host in hosts if (text := _unsettled(host, release))]
    if unsettled:
        return Need(action="wait", why="; ".join(unsettled))
    return Need(action="nothing", why=f"every host serves {release}, as recorded")


def _committed(hosts: Sequence[Mapping[str, Any]], release: str) -> str:
    """Return the release that every host serves for good in place of the recorded one, empty without one."""
    serving = common_release(host.get("serving") for host in hosts)
    is_settled = not any(host.get("error") or host.get("candidate") for host in hosts)
    return serving if is_settled and serving != release else ""


def _unsettled(host: Mapping[str, Any], release: str) -> str:
    """Return what keeps a host from being as recorded, empty when it is."""
    name = host["host"]
    if host.get("error"):
        return f"{name}: {host['error']}"
    if host.get("candidate"):
        return f"{name} has {host['candidate']} on trial"
    if host.get("serving") != release:
        return f"{name} serves {host.get('serving') or 'nothing'}, the record says {release}"
    return ""
