"""Works on agent jobs: search, think, repeat, answer. Each step is saved, so that another process can go on with it."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from acp_reference.agents.jobs import FINAL_STATUSES, Job, JobStore
from acp_reference.agents.knowledge import KnowledgeClient, KnowledgeError
from acp_reference.core import metrics
from acp_reference.core.consumer import PostponeError
from acp_reference.core.model import ModelClient, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger("acp.agents")

_SERVICE: Final = "acp-agents"
_MOST_ATTEMPTS: Final = 5
_SOURCES_PER_ROUND: Final = 5
_SYSTEM: Final = "You are a careful analyst. Answer from the given excerpts only."


class JobRunner:
    """Handles one queued job at a time; `Consumer` runs several of these calls at once."""

    def __init__(self, store: JobStore, knowledge: KnowledgeClient, model: ModelClient) -> None:
        """Use these services."""
        self._store = store
        self._knowledge = knowledge
        self._model = model

    async def __call__(self, job_id: str) -> None:
        """Work on a job until it is completed, failed or waits for answers."""
        job = await self._load(job_id)
        if job is None or job.status in FINAL_STATUSES:
            return
        job = await self._store.save(replace(job, status="running", attempts=job.attempts + 1, error=None))
        try:
            job = await self._work(job)
        except (ModelError, KnowledgeError) as error:
            # The saved notes stay; only the step at hand is done again.
            job = await self._load(job_id) or job
            if job.attempts < _MOST_ATTEMPTS:
                await self._store.save(replace(job, status="pending", error=str(error)))
                raise PostponeError(str(error)) from error
            await self._store.save(replace(job, status="failed", error=str(error)))
        except RedisError as error:
            message = f"redis: {type(error).__name__}"
            raise PostponeError(message) from error
        if job.status == "completed":
            metrics.JOBS.labels(_SERVICE, "completed").inc()
        logger.info("job left", extra={"fields": {"job_id": job_id, "status": job.status}})

    async def _load(self, job_id: str) -> Job | None:
        try:
            return await self._store.load(job_id)
        except RedisError as error:
            message = f"redis: {type(error).__name__}"
            raise PostponeError(message) from error

    async def _work(self, job: Job) -> Job:
        if job.clarify and not job.questions:
            text = await self._model.chat(_SYSTEM, f"Ask one question that makes this clearer: {job.question}")
            questions = ({"id": "q1", "text": text},)
            return await self._store.save(replace(job, status="awaiting_answers", questions=questions))
        while len(job.notes) < job.rounds:
            began = time.monotonic()
            note = await self._round(job)
            job = await self._store.save(replace(job, notes=(*job.notes, note)))
            # A pace keeps a rate-limited model endpoint content, and makes long jobs of short answers.
            await asyncio.sleep(max(0.0, job.pace_seconds - (time.monotonic() - began)))
        answer = await self._model.chat(_SYSTEM, final_prompt(job))
        result = {"answer": answer, "sources": sources_of(job.notes), "rounds": len(job.notes)}
        return await self._store.save(replace(job, status="completed", result=result))

    async def _round(self, job: Job) -> dict[str, Any]:
        query = job.notes[-1]["thought"] if job.notes and job.notes[-1]["thought"].strip() else job.question
        found = await self._knowledge.search(query, limit=_SOURCES_PER_ROUND)
        thought = await self._model.chat(_SYSTEM, round_prompt(job, [hit["chunk"]["content"] for hit in found]))
        sources = [{"job_id": hit["chunk"]["job_id"], "position": hit["chunk"]["position"]} for hit in found]
        return {"query": query, "thought": thought, "sources": sources}


def round_prompt(job: Job, excerpts: Sequence[str]) -> str:
    """Give the prompt of one round: the question, what the user answered, and what was found."""
    answers = "\n".join(f"- {answer['text']}" for answer in job.answers) or "- none"
    found = "\n---\n".join(excerpts) or "nothing"
    return f"Question: {job.question}\nAnswers of the user:\n{answers}\nExcerpts:\n{found}\nWhat follows from this?"


def final_prompt(job: Job) -> str:
    """Give the prompt for the final answer from the notes of all rounds."""
    notes = "\n".join(f"{number}. {note['thought']}" for number, note in enumerate(job.notes, start=1)) or "none"
    return f"Question: {job.question}\nNotes:\n{notes}\nGive the final answer."


def sources_of(notes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give every source once, in the order of first use."""
    unique = {(source["job_id"], source["position"]): source for note in notes for source in note["sources"]}
    return list(unique.values())
