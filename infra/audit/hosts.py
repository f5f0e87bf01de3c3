"""What the hosts' journals say: who came to release, what was committed under which anchor, what was taken back."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.domain.witness import Visit
from infra.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.adapters.stack_history import Update

CALL_TIMEOUT_SECONDS = 30.0
PURPOSE = re.compile(r"^release (?P<release>\S+) by (?P<who>\S+)$")
"""What a run says that it takes the lease for."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAudit:
    """One host's answer; `problem` says why there is none, `problems` what is wrong in its journal's own chain.

    `positions` has the chain's hash at the journal entries that were asked for, by their number.
    """

    host: str
    problem: str = ""
    first: int = 0
    is_rotated: bool = False
    installed_at: str = ""
    problems: tuple[str, ...] = ()
    leases: tuple[Row, ...] = ()
    anchors: tuple[Row, ...] = ()
    reverts: tuple[Row, ...] = ()
    positions: Mapping[int, str] = field(default_factory=dict)

    @property
    def unasked(self) -> str:
        """Return the line that says why there is no answer; empty where there is one."""
        return f"{self.host} was not asked: {self.problem}" if self.problem else ""

    def during(self, rows: Sequence[Row], update: Update) -> list[Row]:
        """Return those of `rows` that were journaled while an update ran."""
        began, ended = update.document.started_at.timestamp(), update.document.ended_at.timestamp() + 1
        return [row for row in rows if began <= datetime.fromisoformat(row["at"]).timestamp() <= ended]

    def visits(self) -> tuple[Visit, ...]:
        """Return the runs that took the lease to release something, with the place in the journal."""
        found = ((lease, PURPOSE.match(str(lease.get("purpose") or ""))) for lease in self.leases)
        return tuple(
            Visit(seq=int(lease.get("seq") or 0), release=told["release"], run_id=str(lease.get("holder") or ""))
            for lease, told in found
            if told
        )


def ask_hosts(
    clients: Sequence[HostctlClient], positions: Mapping[str, Sequence[int]] | None = None
) -> list[HostAudit]:
    """Return every host's answer, asked side by side; `positions` are the journal entries to be looked up, by host."""
    wanted = positions or {}

    def ask(client: HostctlClient) -> HostAudit:
        name = client.host.name
        try:
            answer = client.call("audit", timeout_seconds=CALL_TIMEOUT_SECONDS, positions=sorted(wanted.get(name, ())))
        except ReleaseError as error:
            return HostAudit(host=name, problem=error.what.splitlines()[0])
        return host_audit(name, answer)

    with ThreadPoolExecutor(max_workers=max(1, len(clients))) as pool:
        return list(pool.map(ask, clients))


def host_audit(name: str, answer: Mapping[str, Any]) -> HostAudit:
    """Return a host's answer as a value."""
    return HostAudit(
        host=name,
        first=int(answer["first"]),
        is_rotated=bool(answer["is_rotated"]),
        installed_at=str(answer["installed_at"] or ""),
        problems=tuple(answer["problems"]),
        leases=tuple(answer["leases"]),
        anchors=tuple(answer["anchors"]),
        reverts=tuple(answer["reverts"]),
        positions={int(seq): str(value) for seq, value in answer["positions"].items()},
    )
