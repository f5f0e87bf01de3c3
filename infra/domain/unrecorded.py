"""Where a rollback goes while hosts serve something else than the record says: an update was cut off before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.rollback import Target, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def common_release(releases: Iterable[str | None]) -> str:
    """Return the one release that all of them are, empty where they differ or there is none."""
    found = set(releases)
    return (found.pop() or "") if len(found) == 1 else ""


def unrecorded_target(history: Sequence[Mapping[str, Any]], serving: Mapping[str, str | None]) -> Target | None:
    """Return the release to go back to from what no record has, None where every host serves what is recorded.

    `history` has the newest entry first; `serving` is what is committed on each host that answered, None for nothing.
    It is the recorded release again: for hosts that an update moved on, and for those that a rollback left alone. Only
    where hosts are at one release that served before it, a rollback was cut off, and is gone on with.
    """
    recorded = history[0] if history else {}
    elsewhere = {host: release for host, release in serving.items() if release not in {None, recorded.get("release")}}
    if not recorded or not elsewhere:
        return None
    shown = "; ".join(f"{host} serves {release}" for host, release in elsewhere.items())
    had_it = recorded.get("hosts") or elsewhere
    moved = common_release(release for host, release in elsewhere.items() if host in had_it)
    earlier = next((entry for entry in reversed(standing(history)) if entry["release"] == moved), None)
    if earlier is not None:
        return Target(
            entry=earlier, why=f"{shown}, by a rollback that is not recorded: this one goes on and records it"
        )
    if not had_it.keys() & elsewhere.keys():
        return Target(entry=recorded, why=f"{shown}, left alone when {recorded['release']} was recorded")
    return Target(entry=recorded, why=f"{shown}, by an update that is in no record: this is the recorded release")
