"""The database schema: expand-only migrations, so that two releases can use one database side by side."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow

logger = logging.getLogger("acp.schema")

_LOCK_KEY: Final = 0x41_43_50  # "ACP": one migration at a time, whichever process comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema; it only ever adds."""

    version: int
    sql: str


MIGRATIONS: Final = (
    Migration(
        version=1,
        sql="""
        CREATE TABLE ingest_jobs (
            id uuid PRIMARY KEY,
            status text NOT NULL CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
            progress integer NOT NULL DEFAULT 0,
            title text NOT NULL,
            origin text NOT NULL,
            sensitivity text NOT NULL,
            content text NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            error text,
            release text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        """,
    ),
    Migration(version=2, sql="CREATE INDEX ingest_jobs_by_status ON ingest_jobs (status, updated_at);"),
    Migration(
        version=3,
        sql="""
        CREATE TABLE passages (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            job_id uuid NOT NULL REFERENCES ingest_jobs (id) ON DELETE CASCADE,
            position integer NOT NULL,
            dimensions integer NOT NULL,
            signature bit(256) NOT NULL,
            content text NOT NULL,
            embedding bytea NOT NULL,
            UNIQUE (job_id, position)
        );
        """,
    ),
)


async def migrate(connection: AsyncConnection[DictRow], migrations: tuple[Migration, ...] = MIGRATIONS) -> int:
    """Apply what is missing, in one transaction under a lock; give the number of steps applied."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version "
            "(version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
        )
        cursor = await connection.execute("SELECT version FROM schema_version")
        applied = {row["version"] for row in await cursor.fetchall()}
        missing = [migration for migration in migrations if migration.version not in applied]
        for migration in missing:
            await connection.execute(migration.sql.encode())
            await connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (migration.version,))
    if missing:
        logger.info("schema migrated", extra={"fields": {"version": missing[-1].version}})
    return len(missing)
