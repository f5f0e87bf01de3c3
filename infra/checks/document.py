"""A document on its way through the app: pasted, read back, worked on by the queue, found by search."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.checks.ask import Answer
    from infra.checks.inquiry import Inquiry
    from infra.checks.target import Target

PASTE = "/api/v1/ingest/paste"
STATUS = "/api/v1/ingest/status"
SEARCH = "/api/v1/search"
DOCUMENTS = "/api/v1/ingest/documents"
ORIGIN = "acp-release-check"
STATUSES = frozenset({"pending", "processing", "completed", "failed"})
ENDS = frozenset({"completed", "failed"})
MOST_HITS = 50
MARK_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """How far a document came; a later part is None where an earlier one failed."""

    text: str
    pasted: Answer
    read: Answer | None = None
    ended: Answer | None = None
    queue_seconds: float = 0.0
    searched: Answer | None = None
    is_found: bool = False
    search_seconds: float = 0.0

    @property
    def is_accepted(self) -> bool:
        """Whether the app took the document and named a job."""
        return self.pasted.is_success and job_id(self.pasted) is not None

    @property
    def is_kept(self) -> bool:
        """Whether the job that was named can be read back."""
        if self.read is None:
            return False
        return str(self.read.value("id", "job_id")) == job_id(self.pasted) and self.read.value("status") in STATUSES

    @property
    def is_completed(self) -> bool:
        """Whether the queue worked on it to the end."""
        return self.ended is not None and self.ended.value("status") == "completed"


def make_text() -> tuple[str, str]:
    """Return a text that nobody has pasted before, and the word in it that tells it from all others."""
    mark = f"acp{secrets.token_hex(MARK_BYTES)}"
    return f"This release check is called {mark}: the word {mark} stands in no other document.", mark


def job_id(answer: Answer) -> str | None:
    """Return the id of the job that an answer names."""
    found = answer.value("job_id", "id")
    return str(found) if found is not None else None


def has_results(answer: Answer) -> bool:
    """Whether search answered in its own shape, whatever it found."""
    return answer.is_success and isinstance(answer.value("results"), list)


def finds(answer: Answer, mark: str) -> bool:
    """Whether one of the chunks that search gave has the word."""
    return has_results(answer) and any(mark in str(hit) for hit in answer.value("results"))


async def travel(inquiry: Inquiry, target: Target, *, queue_seconds: float, search_seconds: float) -> Trip:
    """Return how far a document comes through the ingest service at `target`; it is taken away after all checks."""
    text, mark = make_text()
    body = {"text": text, "origin": ORIGIN, "sensitivity": "internal"}
    pasted = await inquiry.ask(target, "POST", PASTE, json=body)
    job = job_id(pasted)
    if not pasted.is_success or job is None:
        return Trip(text=text, pasted=pasted)
    inquiry.made.append((target, f"{DOCUMENTS}/{job}"))
    followed = await inquiry.ask_until(
        target, "GET", f"{STATUS}/{job}", lambda answer: answer.value("status") in ENDS, within_seconds=queue_seconds
    )
    trip = Trip(text=text, pasted=pasted, read=followed.first, ended=followed.last, queue_seconds=followed.seconds)
    return await _search(inquiry, target, trip, mark, within_seconds=search_seconds) if trip.is_completed else trip


async def _search(inquiry: Inquiry, target: Target, trip: Trip, mark: str, *, within_seconds: float) -> Trip:
    """Search for the very text, until its own chunk is found: a store may show it a moment later."""
    query = {"query": trip.text, "limit": MOST_HITS}
    found = await inquiry.ask_until(
        target, "POST", SEARCH, lambda answer: finds(answer, mark), within_seconds=within_seconds, json=query
    )
    return replace(trip, searched=found.last, is_found=finds(found.last, mark), search_seconds=found.seconds)
