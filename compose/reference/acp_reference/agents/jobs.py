"""Agent jobs and where they are kept: one JSON document each, in Redis."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from redis.asyncio import Redis

_KEEP_SECONDS: Final = 7 * 24 * 3600
FINAL_STATUSES: Final = frozenset({"completed", "failed"})


def now_text() -> str:
    """Give the time as ISO 8601 in UTC."""
    return datetime.now(tz=UTC).isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A question and how far its answer is.

    `status` goes pending → running → completed or failed; with `clarify`, once by way of awaiting_answers.
    """

    id: str
    question: str
    rounds: int
    pace_seconds: float
    clarify: bool
    release: str
    status: str = "pending"
    attempts: int = 0
    questions: tuple[dict[str, str], ...] = ()
    answers: tuple[dict[str, str], ...] = ()
    notes: tuple[dict[str, Any], ...] = ()
    result: dict[str, Any] | None = None
    error: str | None = None
    created_at: str = field(default_factory=now_text)
    updated_at: str = field(default_factory=now_text)

    @property
    def progress(self) -> int:
        """Percent done."""
        if self.status == "completed":
            return 100
        return 100 * len(self.notes) // (self.rounds + 1)

    def public(self) -> dict[str, Any]:
        """Give what a client sees."""
        return {**asdict(self), "progress": self.progress}


class JobStore:
    """Reads and writes jobs; each is kept for a week after its last change."""

    def __init__(self, redis: Redis) -> None:
        """Use this Redis."""
        self._redis = redis

    async def save(self, job: Job) -> Job:
        """Write a job, marked as changed now, and give it back."""
        changed = replace(job, updated_at=now_text())
        await self._redis.set(_key(job.id), json.dumps(asdict(changed)), ex=_KEEP_SECONDS)
        return changed

    async def load(self, job_id: str) -> Job | None:
        """Read a job."""
        text = await self._redis.get(_key(job_id))
        return None if text is None else decode(text)

    async def delete(self, job_id: str) -> bool:
        """Remove a job; tell whether it was there."""
        return bool(await self._redis.delete(_key(job_id)))


def decode(text: str) -> Job:
    """Read a job's JSON; what a newer release added is left out, so that two releases can share jobs."""
    fields = {name: value for name, value in json.loads(text).items() if name in Job.__dataclass_fields__}
    for name in ("questions", "answers", "notes"):
        fields[name] = tuple(fields.get(name) or ())
    return Job(**fields)


def _key(job_id: str) -> str:
    return f"acp:agents:job:{job_id}"
