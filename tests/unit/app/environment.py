"""A complete environment of each service, for tests to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acp_reference.core.settings import load_settings

if TYPE_CHECKING:
    from acp_reference.core.settings import Settings

COMPLETE = {
    "DATABASE_URL": "postgresql://acp:db%2Fpass@postgres:5432/acp",
    "REDIS_URL": "redis://:redis-pass@redis:6379/0",
    "SECRET_KEY": "secret-key-value",
    "JWT_SECRET_KEY": "jwt-key-value",
    "ENCRYPTION_KEY": "encryption-key-value",
    "OPENAI_API_KEY": "model-key-value",
    "LLM_ENDPOINT": "http://model:8080/v1/",
    "EMBEDDING_ENDPOINT": "http://model:8080/v1",
    "KNOWLEDGE_URL": "http://acp-v1-ingest:8000",
    "ACP_RELEASE": "v1.4.2-1a2b3c4d",
    "ACP_VERSION": "v1.4.2",
}


def settings(service: str = "acp-ingest", **changes: str) -> Settings:
    """Give the settings of a service whose environment differs from the complete one by `changes`."""
    return load_settings(service, {**COMPLETE, **changes}, port=8000)
