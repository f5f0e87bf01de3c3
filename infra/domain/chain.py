"""The audit chain over the updates of a stack: each link has the hash of itself together with the link before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INTENT_FIELDS = ("release", "run_id", "kind", "who", "spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an update left in the backend: the SHA-256 of its document and of its checkpoint."""

    id: str
    document: str
    checkpoint: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evidence:
        """Return the evidence that an anchor holds."""
        return cls(id=str(value["id"]), document=str(value["document"]), checkpoint=str(value["checkpoint"]))

    def to_json(self) -> dict[str, str]:
        """Return it as an anchor holds it."""
        return {"id": self.id, "document": self.document, "checkpoint": self.checkpoint}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One update in the chain."""

    evidence: Evidence
    previous: str
    hash: str


def canonical(value: object) -> str:
    """Return `value` as canonical JSON: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def link(evidence: Evidence, previous: str) -> Link:
    """Return an update's link behind the hash `previous`, which is empty for the first."""
    text = canonical(evidence.to_json()) + previous
    return Link(evidence=evidence, previous=previous, hash=hashlib.sha256(text.encode()).hexdigest())


def chain(items: Iterable[Evidence], previous: str = "") -> list[Link]:
    """Return the links of updates in order, going on from the hash `previous`."""
    links: list[Link] = []
    for evidence in items:
        links.append(link(evidence, links[-1].hash if links else previous))
    return links


def intent_of(entry: Mapping[str, Any]) -> str:
    """Return the hash of what a release was to be, which hosts keep: known before it is committed, recorded after."""
    content = {name: entry[name] for name in INTENT_FIELDS if name in entry}
    return hashlib.sha256(canonical(content).encode()).hexdigest()
