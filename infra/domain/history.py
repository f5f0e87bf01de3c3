"""What happened to a stack, as one list: every update, good or bad, and every revert that a host made by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["release", "promotion", "rollback", "revert", "other"]
Outcome = Literal["succeeded", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; times are ISO 8601 in UTC, what is not known is empty.

    `kind` "revert" is a host that went back by itself; "other" is an update that was no release (set-up, destroy).
    `operation` is what Pulumi did: update, refresh, destroy, …; empty for a revert.
    `release` is what was to serve, `replaced` what served before; `undoes` is the release that a rollback took back.
    `reached_hosts` says whether any host was touched; one that the gate or the preflight stopped was on none.
    `hash` chains an update to the one before it (`chain.py`), a revert to the entry before it in its host's journal.
    `figures` has what was measured, where it was: `p99_ms`, `sent`, `lost`, `longest_gap_ms`.
    """

    id: str
    kind: Kind
    outcome: Outcome
    stack: str
    started_at: str
    ended_at: str
    operation: str = ""
    release: str = ""
    version: str = ""
    replaced: str = ""
    undoes: str = ""
    who: str = ""
    source: str = ""
    commit: str = ""
    branch: str = ""
    committed_at: str = ""
    approver: str = ""
    ci_run: str = ""
    run_id: str = ""
    host: str = ""
    reached_hosts: bool = False
    reason: str = ""
    verdicts: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    document_sha256: str = ""
    checkpoint_sha256: str = ""
    hash: str = ""
    previous_hash: str = ""
