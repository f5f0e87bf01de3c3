"""The world of the end-to-end tests: a lab whose host is new and a stack that has released nothing yet."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from infra.lab.seed import derive, read_seed
from tests.e2e.first import FirstRelease, first_release
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    """Return the world with a new host and no release."""
    with World.default().claimed() as world:
        world.environment.clear()
        world.prepare(hosts=1)
        world.start_over()
        try:
            yield world
        finally:
            world.environment.clear()
            world.start_over()


@pytest.fixture(scope="package")
def planted(world: World) -> dict[str, str]:
    """Return a random value that stands in each secret of the world's environment; the lab gave two of them."""
    seed = read_seed(world.lab.path)
    own = ("SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY", "POSTGRES", "REDIS", "MODEL", "EMBEDDING")
    values = {name: f"planted{secrets.token_hex(16)}" for name in own}
    address = world.machines[0].plan.model_address
    secret_values = {
        **{name: values[name] for name in own[:3]},
        "DATABASE_URL": f"postgresql://acp:{values['POSTGRES']}@postgres:5432/acp",
        "REDIS_URL": f"redis://:{values['REDIS']}@redis:6379/0",
        "LLM_ENDPOINT": f"http://{address}:8080/{values['MODEL']}/v1",
        "EMBEDDING_ENDPOINT": f"http://{address}:8080/{values['EMBEDDING']}/v1",
    }
    world.environment.update({f"LOCAL_{name}": value for name, value in secret_values.items()})
    return values | {name: derive(seed, name) for name in ("OPENAI_API_KEY", "REGISTRY_PASSWORD")}


@pytest.fixture(scope="package")
def first(world: World, planted: dict[str, str]) -> FirstRelease:
    """Return what the first release of the stack was like."""
    return first_release(world, planted)
