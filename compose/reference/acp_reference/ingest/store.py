"""Documents, their jobs and their chunks in Postgres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from acp_reference.ingest.vectors import dot, pack, signature, sparse, unit, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from acp_reference.core.settings import Settings

    Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

# How many chunks the signatures select before cosine ranks them.
_SELECTED_CHUNKS: Final = 100
# Below the patience of whoever probes, so that an outage is answered and not timed out.
_PROBE_SECONDS: Final = 1.5
FILTER_COLUMNS: Final = ("origin", "sensitivity", "job_id")

_JOB_COLUMNS: Final = (
    "id, status, progress, title, origin, sensitivity, error, attempts, release, created_at, updated_at"
)
_SEARCH: Final = """
WITH selected AS MATERIALIZED (
    SELECT id FROM passages
    WHERE dimensions = %(dimensions)s
      AND (%(any_job)s OR job_id IN (
        SELECT j.id FROM ingest_jobs j
        WHERE (%(origin)s::text IS NULL OR j.origin = %(origin)s)
          AND (%(sensitivity)s::text IS NULL OR j.sensitivity = %(sensitivity)s)
          AND (%(job_id)s::uuid IS NULL OR j.id = %(job_id)s)))
    ORDER BY bit_count(signature # %(signature)s::bit(256)), id DESC
    LIMIT %(selected)s
)
SELECT p.id, p.job_id, p.position, p.content, p.embedding, j.title, j.origin, j.sensitivity
FROM selected JOIN passages p USING (id) JOIN ingest_jobs j ON j.id = p.job_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document as it was handed in."""

    title: str
    origin: str
    sensitivity: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that was found, with its similarity to the query (-1 to 1)."""

    row: DictRow
    similarity: float


def open_pool(settings: Settings) -> Pool:
    """Give a pool of at most DATABASE_POOL_SIZE connections, not yet opened."""
    return AsyncConnectionPool(
        settings.database_url,
        connection_class=AsyncConnection[DictRow],
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "connect_timeout": 2,
            "application_name": f"{settings.service} {settings.release}",
        },
        min_size=1,
        max_size=settings.database_pool_size,
        # Rather late than refused: a database that restarts is back within this time.
        timeout=10.0,
        # A server that comes back is found soon: the back-off of one attempt never grows past this.
        reconnect_timeout=5.0,
        check=AsyncConnectionPool.check_connection,
        open=False,
        name=settings.service,
    )


class Store:
    """All that ingest and its worker ask of the database."""

    def __init__(self, pool: Pool, *, release: str) -> None:
        """Use `pool`; new jobs are marked with `release`."""
        self._pool = pool
        self._release = release

    async def check(self) -> None:
        """Raise unless the database answers now."""
        async with self._pool.connection(timeout=_PROBE_SECONDS) as connection:
            await connection.execute("SELECT 1")

    async def check_vectors(self) -> None:
        """Raise unless chunks can be read."""
        async with self._pool.connection(timeout=_PROBE_SECONDS) as connection:
            await connection.execute("SELECT 1 FROM passages LIMIT 1")

    async def create_job(self, document: NewDocument) -> UUID:
        """Store a document as a pending job."""
        job_id = uuid4()
        await self._execute(
            "INSERT INTO ingest_jobs (id, status, title, origin, sensitivity, content, release) "
            "VALUES (%s, 'pending', %s, %s, %s, %s, %s)",
            (job_id, document.title, document.origin, document.sensitivity, document.content, self._release),
        )
        return job_id

    async def job(self, job_id: UUID) -> DictRow | None:
        """Give a job without its text."""
        return await self._one(f"SELECT {_JOB_COLUMNS} FROM ingest_jobs WHERE id = %s", (job_id,))  # noqa: S608

    async def begin(self, job_id: UUID) -> DictRow | None:
        """Mark a job as being worked on and give its text and attempts; None if it is gone or was completed."""
        return await self._one(
            "UPDATE ingest_jobs SET status = 'processing', progress = 5, attempts = attempts + 1, updated_at = now() "
            "WHERE id = %s AND status <> 'completed' RETURNING content, attempts",
            (job_id,),
        )

    async def progress(self, job_id: UUID, percent: int) -> None:
        """Say how far a job is."""
        await self._execute("UPDATE ingest_jobs SET progress = %s, updated_at = now() WHERE id = %s", (percent, job_id))

    async def end(self, job_id: UUID, *, status: str, error: str | None = None) -> None:
        """Give a job another status than completed, with what went wrong."""
        await self._execute(
            "UPDATE ingest_jobs SET status = %s, error = %s, updated_at = now() WHERE id = %s",
            (status, error, job_id),
        )

    async def complete(self, job_id: UUID, chunks: Sequence[str], embeddings: Sequence[Sequence[float]]) -> None:
        """Store the chunks of a job in place of any earlier ones and complete it, all or nothing."""
        rows = [
            (job_id, position, content, len(vector), pack(vector), signature(sparse(vector), len(vector)))
            for position, (content, vector) in enumerate(zip(chunks, map(unit, embeddings), strict=True))
        ]
        async with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            # A document that was deleted meanwhile has no row to lock, and must not come back.
            await cursor.execute("SELECT 1 FROM ingest_jobs WHERE id = %s FOR UPDATE", (job_id,))
            if await cursor.fetchone() is None:
                return
            await cursor.execute("DELETE FROM passages WHERE job_id = %s", (job_id,))
            await cursor.executemany(
                "INSERT INTO passages (job_id, position, content, dimensions, embedding, signature) "
                "VALUES (%s, %s, %s, %s, %s, %s::bit(256))",
                rows,
            )
            await cursor.execute(
                "UPDATE ingest_jobs SET status = 'completed', progress = 100, error = NULL, updated_at = now() "
                "WHERE id = %s",
                (job_id,),
            )

    async def forgotten(self, after_seconds: int) -> list[UUID]:
        """Give unfinished jobs that nothing happened to for `after_seconds`, each only once in such a time."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE ingest_jobs SET updated_at = now() WHERE status IN ('pending', 'processing') "
                "AND updated_at < now() - make_interval(secs => %s) RETURNING id",
                (after_seconds,),
            )
            return [row["id"] for row in await cursor.fetchall()]

    async def delete(self, job_id: UUID) -> bool:
        """Remove a document with its chunks; tell whether it was there."""
        return await self._one("DELETE FROM ingest_jobs WHERE id = %s RETURNING id", (job_id,)) is not None

    async def search(self, query: Sequence[float], *, limit: int, filters: Mapping[str, Any]) -> list[Hit]:
        """Give the chunks most similar to the embedding `query`, best first."""
        wanted = sparse(unit(query))
        parameters: dict[str, Any] = {
            **{name: filters.get(name) for name in FILTER_COLUMNS},
            "dimensions": len(query),
            "any_job": all(filters.get(name) is None for name in FILTER_COLUMNS),
            "signature": signature(wanted, len(query)),
            "selected": max(limit, _SELECTED_CHUNKS),
        }
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_SEARCH, parameters, binary=True)
            rows = await cursor.fetchall()
        hits = [Hit(row=row, similarity=dot(wanted, unpack(row.pop("embedding")))) for row in rows]
        return sorted(hits, key=lambda hit: hit.similarity, reverse=True)[:limit]

    async def _execute(self, sql: str, parameters: Sequence[Any]) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(sql.encode(), parameters)

    async def _one(self, sql: str, parameters: Sequence[Any]) -> DictRow | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(sql.encode(), parameters)
            return await cursor.fetchone()
