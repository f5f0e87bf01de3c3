"""A stack that has released once through the gate, and a way to see that nothing on its host changed."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.first import stack_outputs
from tests.support.host_view import HostView
from tests.support.vulnerability_database import set_database
from tests.support.world import UpResult, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

LOOK = (
    "docker ps -a --no-trunc --format '{{.ID}} {{.Image}} {{.State}}' | sort; docker images -q --no-trunc | sort;"
    " wc -l < /home/deploy/acp/journal.jsonl; cat /home/deploy/acp/state.json; ls /home/deploy/acp/releases"
)


@dataclass(frozen=True)
class GatedStack:
    """The world, its host, and the database that its gate knows."""

    world: World

    @property
    def host(self) -> HostView:
        """Return the one host."""
        return HostView(world=self.world, machine=self.world.machines[0], host=self.world.settings.hosts[0])

    @property
    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        return stack_outputs(self.world)

    def database(self, *, critical: bool = False, moment: datetime | None = None) -> None:
        """Make the database anew: with a CRITICAL in openssl or without, as old as `moment` says."""
        set_database(self.world.lab.trivy, critical=critical, moment=moment)

    def up(self, *arguments: str, **environment: str) -> UpResult:
        """Run `pulumi up` with variables for this update alone."""
        with self.with_environment(environment):
            if not arguments:
                return self.world.up()
            return self.world.pulumi("up", "--stack", "local", "--yes", *arguments, check=False, timeout_seconds=600)

    @contextlib.contextmanager
    def with_environment(self, environment: dict[str, str]) -> Iterator[None]:
        """Set variables for a while."""
        before = dict(self.world.environment)
        self.world.environment.update(environment)
        try:
            yield
        finally:
            self.world.environment.clear()
            self.world.environment.update(before)

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Assert that containers, images, journal and state of the host are the same after the block as before."""
        before, released = self.host.sh(LOOK), self.outputs["release"]
        yield
        assert self.host.sh(LOOK) == before
        assert self.outputs["release"] == released


@pytest.fixture(scope="package")
def gated() -> Iterator[GatedStack]:
    """Return a stack with a first release; every scan is made again at the next update."""
    with World.default().claimed() as world:
        world.environment.clear()
        world.prepare(hosts=1)
        world.start_over()
        world.configure({"gate": {"rescan_after_seconds": 1}})
        stack = GatedStack(world)
        stack.database()
        result = stack.up(ACP_VERSION=f"v1-{os.getpid()}")
        assert result.good, result.tail(40)
        try:
            yield stack
        finally:
            stack.database()
            world.environment.clear()
            world.start_over()
