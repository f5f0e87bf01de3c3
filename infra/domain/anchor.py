"""An anchor: the head of the audit chain as a release found it, kept in the record and on every host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.domain.chain import Evidence, chain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """`count` updates with the chain's hash `head`; `entries` are those since the anchor before, the last ones at most.

    `restart` is the anchor before, when the update that it ends with is not in the history: the stack was moved to
    another backend, or something was removed. `hosts` has the place in each host's journal behind the commit.
    """

    release: str
    count: int
    head: str
    last: str
    backend: str
    intent: str
    run_id: str
    entries: tuple[Evidence, ...] = ()
    restart: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Anchor | None:
        """Return the anchor in a recorded release, or None when it has none."""
        found = entry.get("audit") or {}
        if "count" not in found:
            return None
        return cls(
            release=str(entry["release"]),
            entries=tuple(Evidence.from_json(item) for item in found.get("entries") or []),
            restart=found.get("restart") or {},
            hosts=found.get("hosts") or {},
            count=int(found["count"]),
            **{name: str(found.get(name) or "") for name in ("head", "last", "backend", "intent", "run_id")},
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as the record has it."""
        return {
            "count": self.count,
            "head": self.head,
            "last": self.last,
            "backend": self.backend,
            "intent": self.intent,
            "run_id": self.run_id,
            "entries": [item.to_json() for item in self.entries],
            "restart": dict(self.restart),
        }

    def request(self) -> dict[str, Any]:
        """Return it as a host is told."""
        return {"count": self.count, "head": self.head or None, "intent": self.intent, "run_id": self.run_id}


def make_anchor(
    *,
    before: Mapping[str, Any],
    since: Sequence[Evidence],
    backend: str,
    release: str,
    run_id: str,
    intent: str,
) -> Anchor:
    """Return the anchor of a release; `before` is the last one's record, `since` the updates from its last one on."""
    last = str(before.get("last") or "")
    goes_on = bool(since) and since[0].id == last
    new = list(since[1:] if goes_on else since)
    links = chain(new, str(before.get("head") or "") if goes_on else "")
    is_known = goes_on or not last
    return Anchor(
        release=release,
        count=len(new) + (int(before.get("count") or 0) if goes_on else 0),
        head=links[-1].hash if links else str(before.get("head") or "") if goes_on else "",
        last=new[-1].id if new else last if goes_on else "",
        backend=backend,
        intent=intent,
        run_id=run_id,
        entries=tuple(new[-MOST_ENTRIES:]),
        restart={} if is_known else {name: before.get(name) for name in ("count", "head", "last", "backend")},
    )
