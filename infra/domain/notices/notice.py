"""One notice: what happened to a stack, in the words and figures that every receiver gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003 - the outbox validates a notice by these annotations
from dataclasses import dataclass, field
from typing import Literal, get_args

from infra.domain.notices.text import duration

Event = Literal["started", "waiting", "succeeded", "failed", "reverted", "rolled-back", "drift"]
EVENTS: tuple[Event, ...] = get_args(Event)
OUTCOMES: frozenset[Event] = frozenset({"succeeded", "failed", "reverted", "rolled-back"})
"""The events that end a run: of one run there is one of them."""

Tone = Literal["good", "bad", "neutral"]
TONES: Mapping[Event, Tone] = {
    "started": "neutral",
    "waiting": "neutral",
    "succeeded": "good",
    "failed": "bad",
    "reverted": "bad",
    "rolled-back": "good",
    "drift": "bad",
}
ID_LENGTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What happened; texts that others wrote were made harmless and redacted before they came here."""

    event: Event
    stack: str
    run_id: str
    at: str
    release: str = ""
    version: str = ""
    replaced: str = ""
    commit: str = ""
    subject: str = ""
    who: str = ""
    duration_seconds: float | None = None
    lost_requests: int | None = None
    reason: str = ""
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return what the notice is known by: the same event of the same run and release is the same notice."""
        parts = f"{self.stack}\n{self.run_id}\n{self.event}\n{self.release}"
        return hashlib.sha256(parts.encode()).hexdigest()[:ID_LENGTH]

    @property
    def title(self) -> str:
        """Return stack and verdict in one line."""
        return f"{self.stack}: {self._verdict()}"

    def _verdict(self) -> str:
        what = self.version or self.release or "a release"
        before = self.replaced or "the release before it"
        verdicts: dict[Event, str] = {
            "started": f"release of {what} started",
            "waiting": f"{what} waits for approval",
            "succeeded": f"{what} is verified and serves",
            "failed": f"release of {what} failed",
            "reverted": f"{what} reverted by itself, {before} serves",
            "rolled-back": f"rolled back to {what}",
            "drift": "hosts differ from the record",
        }
        return verdicts[self.event]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Return what is known, label and value, in the order in which it is read; the reason is not among them."""
        lost = "" if self.lost_requests is None else str(self.lost_requests)
        took = "" if self.duration_seconds is None else duration(self.duration_seconds)
        change = f"{self.commit[:12]} {self.subject}".strip()
        known = [
            ("Stack", self.stack),
            ("Release", self.release),
            ("Version", self.version),
            ("Before", self.replaced),
            ("By", self.who),
            ("Duration", took),
            ("Lost requests", lost),
            ("Commit", change),
        ]
        return [(label, value) for label, value in known if value]
