"""The Redis connection pool, with timeouts that suit blocking reads and probes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.asyncio import Redis

if TYPE_CHECKING:
    from acp_reference.core.settings import Settings


def connect_redis(settings: Settings) -> Redis:
    """Give a client; it connects when first used and again after an outage."""
    client: Redis = Redis.from_url(
        settings.redis_url,
        # Above the longest blocking read (1 s), below the patience of a probe's caller.
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
        health_check_interval=15,
        decode_responses=True,
        client_name=settings.service,
    )
    return client
