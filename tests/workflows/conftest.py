"""The world as a repository on GitHub: two new hosts, two stacks that have released nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.workflow.lab import LabRepository
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def repository() -> Iterator[LabRepository]:
    """Return the repository; its hosts are new before and after."""
    with World.second().claimed() as world:
        world.environment.clear()
        world.prepare(hosts=2)
        world.start_over()
        repository = LabRepository(world=world, folder=world.folder / "github")
        repository.prepare()
        try:
            yield repository
        finally:
            world.environment.clear()
            world.start_over()
