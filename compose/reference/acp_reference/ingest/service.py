"""acp-ingest as a running service: connections, schema, routes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from acp_reference.core.health import CachedCheck, Health
from acp_reference.core.model import ModelClient
from acp_reference.core.probes import probe_router
from acp_reference.core.queue import ReliableQueue
from acp_reference.core.redis_client import connect_redis
from acp_reference.core.server import serve
from acp_reference.core.web import build_app
from acp_reference.ingest.questions import QuestionEmbeddings
from acp_reference.ingest.routes import OUTAGES, IngestParts, work_router
from acp_reference.ingest.schema import migrate
from acp_reference.ingest.store import Store, open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from acp_reference.core.settings import Settings
    from acp_reference.ingest.store import Pool

logger = logging.getLogger("acp.ingest")

QUEUE_NAME: Final = "ingest"
_RETRY_SECONDS: Final = 1.0


async def run(settings: Settings) -> None:
    """Serve until told to stop."""
    pool = open_pool(settings)
    redis = connect_redis(settings)
    model = ModelClient(settings)
    store = Store(pool, release=settings.release)
    queue = ReliableQueue(redis, name=QUEUE_NAME, release=settings.release)

    async def check_redis() -> None:
        await redis.ping()

    health = Health(
        settings=settings,
        critical={"database": store.check, "redis": check_redis},
        others={
            # The contract's name of the vector store; here it is a table of the same database.
            "chroma": store.check_vectors,
            "llm_endpoint": CachedCheck(check=model.check_llm),
            "embedding_endpoint": CachedCheck(check=model.check_embedding),
        },
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        await pool.open(wait=False)
        starting = asyncio.create_task(prepare(pool, health))
        try:
            yield
        finally:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            await model.aclose()
            await redis.aclose()
            await pool.close()

    routers = (
        probe_router(health, title="Analyst Copilot ingest", features=("paste", "upload", "search")),
        work_router(IngestParts(store=store, queue=queue, questions=QuestionEmbeddings(model.embed))),
    )
    await serve(build_app(settings, routers, lifespan=lifespan(), outages=OUTAGES), settings)


async def prepare(pool: Pool, health: Health) -> None:
    """Bring the schema up to date, however long the database takes to come, then say that the start is over."""
    while True:
        try:
            async with pool.connection(timeout=5.0) as connection:
                await migrate(connection)
        except Exception as error:  # noqa: BLE001  (whatever it is, the start is not over and the probes say so)
            logger.warning("database is not usable yet", extra={"fields": {"error": type(error).__name__}})
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            health.started = True
            logger.info("started")
            return
