"""The work routes of acp-agents: start a job, follow it, answer its questions, fetch its result."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from acp_reference.agents.jobs import FINAL_STATUSES, Job, JobStore

if TYPE_CHECKING:
    from acp_reference.core.queue import ReliableQueue

_POLL_SECONDS: Final = 0.25
_LONGEST_WAIT_SECONDS: Final = 300


class JobRequest(BaseModel):
    """A question for the agents."""

    question: str = Field(min_length=1, max_length=4_000)
    rounds: int = Field(default=2, ge=1, le=100)
    pace_seconds: float | None = Field(default=None, ge=0, le=60)
    clarify: bool = False


class AnswersRequest(BaseModel):
    """What the user answers to the questions of a job."""

    answers: list[str] = Field(min_length=1, max_length=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentParts:
    """What the routes work with."""

    store: JobStore
    queue: ReliableQueue
    release: str
    pace_seconds: float


def work_router(parts: AgentParts) -> APIRouter:
    """Give the routes under `/api/v1/jobs`."""
    router = APIRouter(prefix="/api/v1/jobs")

    @router.post("", status_code=202)
    async def create(request: JobRequest) -> dict[str, Any]:
        pace_seconds = parts.pace_seconds if request.pace_seconds is None else request.pace_seconds
        job = Job(
            id=str(uuid.uuid4()),
            question=request.question,
            rounds=request.rounds,
            pace_seconds=pace_seconds,
            clarify=request.clarify,
            release=parts.release,
        )
        await parts.store.save(job)
        await parts.queue.push(job.id)
        return {"job_id": job.id, **job.public()}

    @router.get("/{job_id}")
    async def read(job_id: UUID) -> dict[str, Any]:
        job = await _existing(parts.store, job_id)
        return {"job_id": job.id, **job.public()}

    @router.delete("/{job_id}", status_code=204)
    async def delete(job_id: UUID) -> Response:
        job = await _existing(parts.store, job_id)
        if job.status == "running":
            raise HTTPException(409, "the job is running")
        await parts.store.delete(job.id)
        return Response(status_code=204)

    @router.post("/{job_id}/answers", status_code=202)
    async def answer(job_id: UUID, request: AnswersRequest) -> dict[str, Any]:
        job = await _existing(parts.store, job_id)
        if job.status != "awaiting_answers":
            raise HTTPException(409, f"the job waits for no answers: it is {job.status}")
        answers = tuple({"text": text} for text in request.answers)
        job = await parts.store.save(replace(job, status="pending", answers=answers))
        await parts.queue.push(job.id)
        return {"job_id": job.id, **job.public()}

    @router.get("/{job_id}/results")
    async def results(
        job_id: UUID, response: Response, wait_seconds: Annotated[float, Query(ge=0, le=_LONGEST_WAIT_SECONDS)] = 0
    ) -> dict[str, Any]:
        job = await _wait_for_end(parts.store, job_id, wait_seconds)
        if job.status not in FINAL_STATUSES:
            response.status_code = 202
        return {"job_id": job.id, "status": job.status, "result": job.result, "error": job.error}

    return router


async def _existing(store: JobStore, job_id: UUID) -> Job:
    job = await store.load(str(job_id))
    if job is None:
        raise HTTPException(404, f"no job {job_id}")
    return job


async def _wait_for_end(store: JobStore, job_id: UUID, wait_seconds: float) -> Job:
    """Give the job when it has ended or needs answers, or as it is after `wait_seconds`."""
    deadline = time.monotonic() + wait_seconds
    while True:
        job = await _existing(store, job_id)
        rest = deadline - time.monotonic()
        if job.status in FINAL_STATUSES or job.status == "awaiting_answers" or rest <= 0:
            return job
        await asyncio.sleep(min(_POLL_SECONDS, rest))


OUTAGES = (RedisError,)
"""Failures of something else than this service: answered with 503, not 500."""
