"""The world of the end-to-end tests: a lab whose host is new and a stack that has released nothing yet."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.e2e.first import FirstRelease, first_release
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def planted() -> dict[str, str]:
    """Return a random value for every secret that may be any text."""
    names = (
        "SECRET_KEY",
        "JWT_SECRET_KEY",
        "ENCRYPTION_KEY",
        "OPENAI_API_KEY",
        "POSTGRES",
        "REDIS",
        "MODEL",
        "EMBEDDING",
    )
    return {name: f"planted{secrets.token_hex(16)}" for name in names}


@pytest.fixture(scope="package")
def world(planted: dict[str, str]) -> Iterator[World]:
    """Return the world with a new host, no release and the planted secrets in its environment."""
    with World.default().claimed() as world:
        world.environment.clear()
        world.prepare(hosts=1)
        world.start_over()
        address = world.machines[0].plan.model_address
        own = {name: planted[name] for name in ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY", "OPENAI_API_KEY")}
        urls = {
            "DATABASE_URL": f"postgresql://acp:{planted['POSTGRES']}@postgres:5432/acp",
            "REDIS_URL": f"redis://:{planted['REDIS']}@redis:6379/0",
            "LLM_ENDPOINT": f"http://acp:{planted['MODEL']}@{address}:8080/v1",
            "EMBEDDING_ENDPOINT": f"http://acp:{planted['EMBEDDING']}@{address}:8080/v1",
        }
        world.environment.update({f"LOCAL_{name}": value for name, value in {**own, **urls}.items()})
        try:
            yield world
        finally:
            world.start_over()


@pytest.fixture(scope="package")
def first(world: World, planted: dict[str, str]) -> FirstRelease:
    """Return what the first release of the stack was like."""
    return first_release(world, planted)
