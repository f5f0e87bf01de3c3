"""The work routes of acp-ingest: hand in a document, follow its job, search."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, HTTPException, Response, UploadFile
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field, field_validator
from redis.exceptions import RedisError

from acp_reference.core.model import ModelError
from acp_reference.ingest.store import NewDocument, Store

if TYPE_CHECKING:
    from acp_reference.core.queue import ReliableQueue
    from acp_reference.ingest.questions import QuestionEmbeddings

logger = logging.getLogger("acp.ingest")

_LONGEST_TEXT = 1_000_000
_LARGEST_UPLOAD_BYTES = 5 * 1024 * 1024
Sensitivity = Literal["public", "internal", "confidential", "restricted"]


class PasteRequest(BaseModel):
    """A document handed in as text."""

    text: str = Field(min_length=1, max_length=_LONGEST_TEXT)
    origin: str = Field(default="paste", min_length=1, max_length=200)
    sensitivity: Sensitivity = "internal"
    title: str = Field(default="pasted text", max_length=200)

    @field_validator("text")
    @classmethod
    def _has_words(cls, text: str) -> str:
        return checked_text(text)


class SearchFilters(BaseModel):
    """What the documents that are searched must match."""

    origin: str | None = None
    sensitivity: Sensitivity | None = None
    job_id: UUID | None = None


class SearchRequest(BaseModel):
    """A question to what was ingested."""

    query: str = Field(min_length=1, max_length=4_000)
    limit: int = Field(default=10, ge=1, le=100)
    filters: SearchFilters = SearchFilters()


class JobAccepted(BaseModel):
    """The answer to a document that was handed in."""

    job_id: UUID
    status: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestParts:
    """What the routes work with."""

    store: Store
    queue: ReliableQueue
    questions: QuestionEmbeddings


def checked_text(text: str) -> str:
    """Give the text back; raise ValueError for one without words or with a NUL, which Postgres cannot store."""
    if not text.strip() or "\x00" in text:
        message = "must have words and no NUL characters"
        raise ValueError(message)
    return text


def work_router(parts: IngestParts) -> APIRouter:
    """Give the routes under `/api/v1`."""
    router = APIRouter(prefix="/api/v1")

    @router.post("/ingest/paste", status_code=202)
    async def paste(request: PasteRequest) -> JobAccepted:
        document = NewDocument(
            title=request.title, origin=request.origin, sensitivity=request.sensitivity, content=request.text
        )
        return await _accept(parts, document)

    @router.post("/ingest/upload", status_code=202)
    async def upload(
        file: Annotated[UploadFile, File()],
        origin: Annotated[str, Form(min_length=1, max_length=200)] = "upload",
        sensitivity: Annotated[Sensitivity, Form()] = "internal",
    ) -> JobAccepted:
        content = await _read_text(file)
        title = (file.filename or "upload")[:200].replace("\x00", "")
        return await _accept(parts, NewDocument(title=title, origin=origin, sensitivity=sensitivity, content=content))

    @router.get("/ingest/status/{job_id}")
    async def status(job_id: UUID) -> dict[str, Any]:
        job = await parts.store.job(job_id)
        if job is None:
            raise HTTPException(404, f"no job {job_id}")
        return job

    @router.delete("/ingest/documents/{job_id}", status_code=204)
    async def delete(job_id: UUID) -> Response:
        if not await parts.store.delete(job_id):
            raise HTTPException(404, f"no document {job_id}")
        return Response(status_code=204)

    @router.post("/search")
    async def search(request: SearchRequest) -> dict[str, Any]:
        return await _search(parts, request)

    return router


async def _accept(parts: IngestParts, document: NewDocument) -> JobAccepted:
    job_id = await parts.store.create_job(document)
    try:
        await parts.queue.push(str(job_id))
    except (RedisError, OSError) as error:
        await parts.store.end(job_id, status="failed", error="could not be queued")
        raise HTTPException(503, "the queue is out of reach, try again") from error
    return JobAccepted(job_id=job_id, status="pending", message="queued")


async def _read_text(file: UploadFile) -> str:
    data = await file.read(_LARGEST_UPLOAD_BYTES + 1)
    if len(data) > _LARGEST_UPLOAD_BYTES:
        raise HTTPException(413, f"file: at most {_LARGEST_UPLOAD_BYTES} bytes")
    try:
        return checked_text(data.decode("utf-8"))
    except ValueError:
        raise HTTPException(422, "file: must be UTF-8 text with words and no NUL characters") from None


async def _search(parts: IngestParts, request: SearchRequest) -> dict[str, Any]:
    began = time.monotonic()
    vector = await parts.questions.embed(request.query)
    hits = await parts.store.search(vector, limit=request.limit, filters=request.filters.model_dump())
    results = [
        {
            "chunk": {
                "id": hit.row["id"],
                "job_id": hit.row["job_id"],
                "position": hit.row["position"],
                "content": hit.row["content"],
                "metadata": {name: hit.row[name] for name in ("title", "origin", "sensitivity")},
            },
            "similarity_score": round(hit.similarity, 6),
            "rank": rank,
        }
        for rank, hit in enumerate(hits, start=1)
    ]
    return {
        "query": request.query,
        "results": results,
        "total_results": len(results),
        "processing_time_ms": round((time.monotonic() - began) * 1000, 2),
    }


OUTAGES = (ModelError, PoolTimeout, OperationalError, RedisError)
"""Failures of something else than this service: answered with 503, not 500."""
