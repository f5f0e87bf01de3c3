"""Turns one queued document into chunks with embeddings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final
from uuid import UUID

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from acp_reference.core import metrics
from acp_reference.core.consumer import PostponeError
from acp_reference.core.model import ModelError
from acp_reference.ingest.chunking import split_into_chunks

if TYPE_CHECKING:
    from acp_reference.core.model import ModelClient
    from acp_reference.ingest.store import Store

logger = logging.getLogger("acp.worker")

_BATCH: Final = 16
_MOST_ATTEMPTS: Final = 5
_SERVICE: Final = "acp-worker"


class Processor:
    """Works on one job at a time, idempotently: a job that is done twice leaves the same rows."""

    def __init__(self, store: Store, model: ModelClient) -> None:
        """Use this store and this model endpoint."""
        self._store = store
        self._model = model

    async def __call__(self, item: str) -> None:
        """Process the job with the id `item`; raise PostponeError when something it needs is out of reach."""
        job_id = UUID(item)
        try:
            job = await self._store.begin(job_id)
            if job is None:
                return
            try:
                await self._embed(job_id, job["content"])
            except ModelError as error:
                if job["attempts"] >= _MOST_ATTEMPTS:
                    await self._fail(job_id, str(error))
                    return
                await self._store.end(job_id, status="pending", error=str(error))
                raise PostponeError(str(error)) from error
            except (OperationalError, PoolTimeout):
                raise
            except Exception as error:  # one bad document must not stop the queue
                logger.exception("job failed", extra={"fields": {"job_id": item}})
                await self._fail(job_id, type(error).__name__)
                return
        except (OperationalError, PoolTimeout) as error:
            message = f"database: {type(error).__name__}"
            raise PostponeError(message) from error
        metrics.JOBS.labels(_SERVICE, "completed").inc()
        logger.info("job completed", extra={"fields": {"job_id": item}})

    async def _embed(self, job_id: UUID, content: str) -> None:
        chunks = split_into_chunks(content)
        embeddings: list[list[float]] = []
        for start in range(0, len(chunks), _BATCH):
            embeddings += await self._model.embed(chunks[start : start + _BATCH])
            await self._store.progress(job_id, 5 + 90 * len(embeddings) // len(chunks))
        await self._store.complete(job_id, chunks, embeddings)

    async def _fail(self, job_id: UUID, error: str) -> None:
        metrics.JOBS.labels(_SERVICE, "failed").inc()
        await self._store.end(job_id, status="failed", error=error)
