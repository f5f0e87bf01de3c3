"""`audit verify`: backend, record and hosts against each other."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.adapters.pulumi_cli import stack_outputs
from infra.adapters.pulumi_lock import read_lock
from infra.adapters.stack_history import open_history
from infra.audit.entries import record_of, recorded
from infra.audit.events import evidence_of
from infra.audit.hosts import ask_hosts
from infra.domain.anchor import Anchor
from infra.domain.tampering import Problem, tampering, unanchored
from infra.domain.witness import Witness, is_before, witnessed
from infra.errors import UnreadableHistoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.adapters.pulumi_lock import StackLock
    from infra.adapters.stack_history import StackHistory, Update
    from infra.audit.hosts import HostAudit


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What an audit found; `notes` are what it could not look at, and what is not anchored yet."""

    updates: int
    anchors: int
    head: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def verify_stack(stack: str, clients: Sequence[HostctlClient]) -> Verified:
    """Verify the history of a stack with its record and its hosts."""
    lock = read_lock(stack, os.environ)  # before the rest: what is under way now is recorded by nobody yet
    under_way = lock if lock is not None and not lock.is_stale else None
    history = open_history(stack, os.environ)
    try:
        record = stack_outputs(stack).get("history") or []
    except UnreadableHistoryError:  # is named below, as another record than the last update left
        record = []
    return verify(history, record, lambda positions: ask_hosts(clients, positions), under_way=under_way)


def verify(
    history: StackHistory,
    record: Sequence[Mapping[str, Any]],
    ask: Callable[[Mapping[str, Sequence[int]]], list[HostAudit]],
    *,
    under_way: StackLock | None = None,
) -> Verified:
    """Compare a history, the record as it is now (the newest first), and what the hosts answer.

    `under_way` is the lock of an update that runs: what it commits is in no record before it ends.
    """
    updates = history.updates()
    present = evidence_of(history, updates)
    found = recorded(history, updates, record)
    entries = sorted(found.entries, key=lambda entry: str(entry["started_at"]))
    anchors = [anchor for entry in entries if (anchor := Anchor.from_entry(entry))]
    hosts = ask(_places(anchors))
    problems = tampering(present, anchors) + _state_problems(history, updates, record)
    seen: dict[str, Problem] = {}
    notes = [host.unasked for host in hosts if host.unasked]
    for host in hosts:
        if not host.problem:
            excused = [*_taken_back(host, updates), *_under_way(host, under_way)]
            witness = _witness(host)
            seen |= {problem.text: problem for problem in witnessed(witness, entries, excused)}
            notes += _unseen(witness, entries)
    notes += _moves(anchors)
    if under_way is not None:
        notes.append(f"an update is under way ({under_way}): what it commits is in no record before it ends")
    later = unanchored(present, anchors)
    if later:
        notes.append(f"{len(later)} updates since the last anchor; the next release anchors them")
    return Verified(
        updates=len(updates),
        anchors=len(anchors),
        head=anchors[-1].head if anchors else "",
        problems=(*problems, *seen.values()),
        notes=tuple(notes),
    )


def _places(anchors: Sequence[Anchor]) -> dict[str, list[int]]:
    """Return the journal entries that the anchors name, by host."""
    places: dict[str, list[int]] = {}
    for anchor in anchors:
        for host, place in anchor.hosts.items():
            places.setdefault(host, []).append(int(place["seq"]))
    return places


def _state_problems(
    history: StackHistory, updates: Sequence[Update], record: Sequence[Mapping[str, Any]]
) -> list[Problem]:
    """Return whether the record in the stack's state is another one than the last update left."""
    last = next((update for update in reversed(updates) if update.checkpoint_file), None)
    if last is None:
        return []
    with contextlib.suppress(UnreadableHistoryError):
        if list(record_of(history.checkpoint(last))) == list(record):
            return []
    text = f"the record in the stack's state is not the one that its last update {last.id} left"
    return [Problem(finding="changed", entry=last.id, text=text, where="state")]


def _taken_back(host: HostAudit, updates: Sequence[Update]) -> list[Mapping[str, Any]]:
    """Return the commits on a host during updates that failed in the end."""
    failed = [update for update in updates if update.document.result != "succeeded"]
    return [row for update in failed for row in host.during(host.anchors, update)]


def _under_way(host: HostAudit, lock: StackLock | None) -> list[Mapping[str, Any]]:
    """Return the commit on a host that the running update may have made: the newest one, since the lock was taken.

    No more than that, lest a lock that somebody put there excuses the past.
    """
    if lock is None or not lock.since:
        return []
    since = datetime.fromisoformat(lock.since)
    return [row for row in host.anchors[-1:] if datetime.fromisoformat(row["at"]) >= since]


def _unseen(witness: Witness, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a note when a host was set up after releases that name it: the other hosts witness those."""
    early = [
        entry
        for entry in entries
        if witness.host in ((entry.get("audit") or {}).get("hosts") or {}) and is_before(witness, entry)
    ]
    if not early:
        return []
    return [f"{witness.host} was set up anew at {witness.installed_at[:19]}: {len(early)} releases are older than that"]


def _witness(host: HostAudit) -> Witness:
    return Witness(
        host=host.host,
        first=host.first,
        is_rotated=host.is_rotated,
        installed_at=host.installed_at,
        problems=host.problems,
        anchors=host.anchors,
        visits=host.visits(),
        positions=host.positions,
    )


def _moves(anchors: Sequence[Anchor]) -> list[str]:
    """Return a note for every move to another backend: what was before is kept there."""
    return [
        f"before {anchor.release} the stack was in {anchor.restart['backend']}: its {anchor.restart['count']} updates"
        f" up to {anchor.restart['last']} are verified there"
        for anchor in anchors
        if anchor.restart and anchor.restart.get("backend") != anchor.backend
    ]
