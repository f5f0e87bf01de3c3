"""acp-agents as a running service: routes, and the jobs worked on in the same process."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from acp_reference.agents.jobs import JobStore
from acp_reference.agents.knowledge import KnowledgeClient
from acp_reference.agents.routes import OUTAGES, AgentParts, work_router
from acp_reference.agents.runner import JobRunner
from acp_reference.core.consumer import Consumer
from acp_reference.core.health import CachedCheck, Health
from acp_reference.core.model import ModelClient
from acp_reference.core.probes import probe_router
from acp_reference.core.queue import ReliableQueue
from acp_reference.core.redis_client import connect_redis
from acp_reference.core.server import serve
from acp_reference.core.web import build_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from acp_reference.core.settings import Settings

_QUEUE_NAME: Final = "agents"


async def run(settings: Settings) -> None:
    """Serve until told to stop; then take no new jobs and finish the running ones."""
    redis = connect_redis(settings)
    model = ModelClient(settings)
    knowledge = KnowledgeClient(settings.knowledge_url, release=settings.release)
    store = JobStore(redis)
    queue = ReliableQueue(redis, name=_QUEUE_NAME, release=settings.release, worker_id=uuid.uuid4().hex)
    consumer = Consumer(
        queue,
        JobRunner(store, knowledge, model),
        service=settings.service,
        concurrency=settings.max_concurrent_jobs,
    )

    async def check_redis() -> None:
        await redis.ping()

    health = Health(
        settings=settings,
        critical={"redis": check_redis},
        others={
            "knowledge_service": CachedCheck(check=knowledge.check),
            "llm_endpoint": CachedCheck(check=model.check_llm),
        },
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        working = asyncio.create_task(consumer.run())
        health.started = True
        try:
            yield
        finally:
            consumer.stop()
            await working
            await knowledge.aclose()
            await model.aclose()
            await redis.aclose()

    routers = (
        probe_router(health, title="Analyst Copilot agents", features=("jobs", "answers", "results")),
        work_router(
            AgentParts(store=store, queue=queue, release=settings.release, pace_seconds=settings.agent_pace_seconds)
        ),
    )
    app = build_app(settings, routers, lifespan=lifespan(), outages=OUTAGES)
    await serve(app, settings, on_stop=consumer.stop)
