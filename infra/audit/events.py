"""Everything that happened to a stack, as one list: updates of the backend and reverts that hosts made themselves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.adapters.pulumi_cli import stack_outputs
from infra.adapters.stack_history import UNREADABLE, checkpoint_digests, open_history
from infra.audit.attempts import attempt_of
from infra.audit.entries import recorded
from infra.audit.hosts import ask_hosts
from infra.domain.chain import Evidence, chain
from infra.domain.history import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.adapters.stack_history import StackHistory, Update
    from infra.audit.hosts import HostAudit
    from infra.domain.chain import Link

SUCCEEDED = "succeeded"
CI_ENVIRONMENT = {"ci_run": "ci.build.url", "commit": "git.head", "branch": "git.headName"}


TEXTS = (
    "release", "version", "replaced", "who", "source", "commit", "branch", "committed_at", "approver", "ci_run",
    "reason", "run_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEvents:
    """What happened to a stack, the oldest first; `unasked` has a line for each host whose journal is not in it."""

    events: list[Event]
    unasked: tuple[str, ...] = ()


def read_events(stack: str, clients: Sequence[HostctlClient] = (), *, is_chained: bool = False) -> ReadEvents:
    """Return what happened to `stack`.

    `clients` are the hosts whose journals are asked for reverts of their own and for what failed updates came to.
    With `is_chained` every checkpoint is hashed, and each event has its link.
    """
    history = open_history(stack, os.environ)
    record = stack_outputs(stack).get("history") or []
    hosts = ask_hosts(clients)
    events = build_events(stack, history, record, hosts, is_chained=is_chained)
    return ReadEvents(events=events, unasked=tuple(host.unasked for host in hosts if host.unasked))


def build_events(
    stack: str,
    history: StackHistory,
    record: Sequence[Mapping[str, Any]],
    hosts: Sequence[HostAudit],
    *,
    is_chained: bool = False,
) -> list[Event]:
    """Return the events of a history, its record and its hosts' journals, the oldest first."""
    updates = history.updates()
    entries = recorded(history, updates, record).by_update
    links = {item.evidence.id: item for item in links_of(history, updates)} if is_chained else {}
    events = [
        _event(stack, update, entries.get(update.id) or _attempt(history, update, hosts), links.get(update.id))
        for update in updates
    ]
    events += [_revert(stack, host.host, row) for host in hosts for row in host.reverts]
    return sorted(events, key=lambda event: (event.ended_at, event.id))


def links_of(history: StackHistory, updates: Sequence[Update]) -> list[Link]:
    """Return the chain over all updates."""
    return chain(evidence_of(history, updates))


def evidence_of(history: StackHistory, updates: Sequence[Update]) -> list[Evidence]:
    """Return what each update left."""
    digests = checkpoint_digests(history, updates)
    return [
        Evidence(id=update.id, document=update.digest, checkpoint=digest)
        for update, digest in zip(updates, digests, strict=True)
    ]


def _attempt(history: StackHistory, update: Update, hosts: Sequence[HostAudit]) -> Mapping[str, Any]:
    """Return what is known of an update that recorded nothing: a failed one, set-up, a refresh or a destroy."""
    if update.document.result == UNREADABLE:
        return {"kind": "other", "reason": "its document in the backend is not readable"}
    if update.document.kind != "update" or update.document.result == SUCCEEDED:
        return {"kind": "other"}
    return {"kind": "release", **attempt_of(history, update, hosts)}


def _event(stack: str, update: Update, entry: Mapping[str, Any], link: Link | None) -> Event:
    """Return one update as an event."""
    document = update.document
    told = {**_from_environment(document.environment), **{key: value for key, value in entry.items() if value}}
    replaced = str(told.get("replaced") or "")
    return Event(
        id=update.id,
        kind=told["kind"],
        outcome="succeeded" if document.result == SUCCEEDED else "failed",
        stack=stack,
        started_at=document.started_at.isoformat(),
        ended_at=document.ended_at.isoformat(),
        operation="" if document.kind == UNREADABLE else document.kind,
        **{name: str(told.get(name) or "") for name in TEXTS},
        undoes=replaced if told["kind"] == "rollback" else "",
        reached_hosts=document.result == SUCCEEDED or bool(told.get("reached_hosts")),
        verdicts=told.get("verdicts") or {},
        figures=told.get("figures") or {},
        **_linked(link),
    )


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what Pulumi itself noted of where an update ran."""
    found = {name: environment.get(key, "") for name, key in CI_ENVIRONMENT.items()}
    found["branch"] = found["branch"].removeprefix("refs/heads/")
    return {name: value for name, value in found.items() if value}


def _linked(link: Link | None) -> dict[str, Any]:
    if link is None:
        return {}
    return {
        "hash": link.hash,
        "previous_hash": link.previous,
        "document_sha256": link.evidence.document,
        "checkpoint_sha256": link.evidence.checkpoint,
    }


def _revert(stack: str, host: str, row: Mapping[str, Any]) -> Event:
    """Return a host's own revert as an event; its link is in the chain of that host's journal."""
    release = str(row.get("release") or "")
    return Event(
        id=f"{host}-{row['seq']}",
        kind="revert",
        outcome="succeeded",
        stack=stack,
        started_at=row["at"],
        ended_at=row["at"],
        release=release,
        version=release.rpartition("-")[0],
        undoes=release,
        who=str(row.get("holder") or ""),
        host=host,
        reason=str(row.get("reason") or ""),
        reached_hosts=True,
        hash=str(row.get("hash") or ""),
        previous_hash=str(row.get("previous_hash") or ""),
    )
