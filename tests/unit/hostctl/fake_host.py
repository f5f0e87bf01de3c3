"""A whole host in memory, with hostctl's own files in a temporary folder, and a way to call commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.hostctl.commands import COMMANDS
from infra.hostctl.errors import HostctlError
from infra.hostctl.fields import Fields
from infra.hostctl.host import Host
from infra.hostctl.journal import Journal
from infra.hostctl.lease import Leases
from infra.hostctl.paths import Paths
from infra.hostctl.redact import Redactor
from infra.hostctl.state import StateStore
from tests.unit.hostctl.fake_edge import FakeEdge
from tests.unit.hostctl.fakes import FakeClock, FakeCompose, FakeEngine
from tests.unit.hostctl.release_spec import SECRET, spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from infra.hostctl.compose import Compose
    from infra.hostctl.edge.control import Edge
    from infra.hostctl.engine import Engine


class FakeHost:
    """All of it, and a way to call commands."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.engine = FakeEngine()
        self.compose = FakeCompose(self.engine)
        self.edge = FakeEdge(self.engine)
        self.folder = folder
        self.progress: list[str] = []
        self.watchdogs = 0
        self.observer: Callable[[dict[str, Any]], None] | None = None

    @property
    def host(self) -> Host:
        """Return a Host as a new process would make it."""
        paths, clock, redactor = Paths(self.folder), cast("Clock", self.clock), Redactor()
        return Host(
            paths=paths,
            clock=clock,
            engine=cast("Engine", self.engine),
            compose=cast("Compose", self.compose),
            journal=Journal(paths.journal, clock, observer=self.observer, redactor=redactor),
            store=StateStore(paths.state, redactor),
            leases=Leases(paths.lease, paths.lease_lock, paths.lock, paths.own_work_lock, clock),
            edge=cast("Edge", self.edge),
            redactor=redactor,
            progress=lambda phase, message: self.progress.append(f"{phase}: {message}"),
            spawn_watchdog=self._spawn,
        )

    def call(self, command: str, **request: Any) -> dict[str, Any]:
        """Run a command in a process of its own."""
        return COMMANDS[command].run(self.host, Fields(request))

    def start(self, release: str, **request: Any) -> dict[str, Any]:
        """Run `start` for a release."""
        return self.call("start", **{"spec": spec(release), "secrets": {"DATABASE_URL": SECRET}, **request})

    def commit(self, release: str) -> None:
        """Take a release up to its commit: the one before is still to be drained and parked."""
        self.start(release)
        for command in ("cutover", "commit"):
            self.call(command, release=release)

    def release(self, release: str) -> None:
        """Take a release through a whole rollout."""
        self.commit(release)
        for command in ("drain", "park"):
            self.call(command, release=release)

    def running(self) -> set[str]:
        """Return the compose projects of releases that have a running container."""
        return {c.project for c in self.engine.all.values() if c.is_running}

    def _spawn(self) -> None:
        self.watchdogs += 1


def refused(code: str, world: FakeHost, command: str, **request: Any) -> HostctlError:
    """Assert that a call is refused with a code."""
    with pytest.raises(HostctlError) as caught:
        world.call(command, **request)
    assert caught.value.code == code, caught.value.message
    return caught.value
