"""acp-worker as a running service: takes queued documents until told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from psycopg import Error as PsycopgError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from acp_reference.core.consumer import Consumer
from acp_reference.core.health import Health
from acp_reference.core.model import ModelClient
from acp_reference.core.queue import ReliableQueue
from acp_reference.core.redis_client import connect_redis
from acp_reference.core.server import on_signals
from acp_reference.ingest.service import QUEUE_NAME, prepare
from acp_reference.ingest.store import Store, open_pool
from acp_reference.worker.processing import Processor

if TYPE_CHECKING:
    from acp_reference.core.settings import Settings

logger = logging.getLogger("acp.worker")

STATE_FILE: Final = Path("/tmp/worker.json")  # noqa: S108  (the container's own tmpfs)
_REPORT_SECONDS: Final = 2.0
_CHANGE_SECONDS: Final = 0.2
_SWEEP_SECONDS: Final = 30.0
_FORGOTTEN_SECONDS: Final = 120


async def run(settings: Settings) -> None:
    """Work until told to stop, then finish the jobs at hand."""
    pool = open_pool(settings)
    redis = connect_redis(settings)
    model = ModelClient(settings)
    store = Store(pool, release=settings.release)
    queue = ReliableQueue(redis, name=QUEUE_NAME, release=settings.release, worker_id=uuid.uuid4().hex)
    consumer = Consumer(
        queue, Processor(store, model), service=settings.service, concurrency=settings.worker_concurrency
    )

    async def check_redis() -> None:
        await redis.ping()

    def stop() -> None:
        logger.info("stopping: finishing what runs")
        consumer.stop()

    health = Health(settings=settings, critical={"database": store.check, "redis": check_redis}, others={})
    on_signals(stop)
    await pool.open(wait=False)
    reporting = asyncio.create_task(_report(health))
    starting = asyncio.create_task(prepare(pool, health))
    sweeping = asyncio.create_task(_queue_forgotten(store, queue))
    helpers = (reporting, starting, sweeping)
    try:
        await consumer.run()
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await model.aclose()
        await redis.aclose()
        await pool.close()


async def _queue_forgotten(store: Store, queue: ReliableQueue) -> None:
    """Queue again what a Redis that lost its last second no longer knows; a job that is done twice does no harm."""
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        try:
            for job_id in await store.forgotten(_FORGOTTEN_SECONDS):
                logger.warning("queued again", extra={"fields": {"job_id": str(job_id)}})
                await queue.push(str(job_id))
        except (PsycopgError, PoolTimeout, RedisError, OSError) as error:
            logger.warning("could not look for forgotten jobs", extra={"fields": {"error": type(error).__name__}})


async def _report(health: Health) -> None:
    """Keep the state file fresh: a worker has no port that a probe could ask."""
    while True:
        readiness = await health.readiness()
        temporary = STATE_FILE.with_suffix(".new")
        temporary.write_text(json.dumps(readiness), encoding="utf-8")
        temporary.replace(STATE_FILE)
        await asyncio.sleep(_REPORT_SECONDS if readiness["status"] == "ready" else _CHANGE_SECONDS)
