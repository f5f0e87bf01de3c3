# ruff: noqa: D102 - the methods are those of what a fake stands for
"""HAProxy in memory: the routes that it has loaded, and who has requests."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from infra.hostctl.edge.control import Survey, WorkerReading
from infra.hostctl.edge.ledger import Ledger
from infra.hostctl.edge.routing import Routing
from infra.hostctl.edge.settings import EdgeSettings
from infra.hostctl.edge.stats import ServerStat
from infra.hostctl.errors import HostctlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.hostctl.edge.routing import Backend, Server
    from tests.unit.hostctl.fakes import FakeEngine

HAPROXY = "registry.test/library/haproxy@sha256:" + "b" * 64


class FakeEdge:
    """HAProxy in memory: the routes it has loaded, their weights and sessions."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.settings = EdgeSettings(
            stack="local", image=HAPROXY, network="acp-local-front", bind_address="192.0.2.1", http_port=80,
            https_port=None, public_ports=(8000, 8001), verify_base_port=18000, verify_count=4, has_tls=False,
            redirect=False, hsts_seconds=0, server_seconds=300, client_seconds=60, keep_alive_seconds=10,
            max_failures=5,
        )  # fmt: skip
        self.is_set_up = True
        self.running = True
        self.on_disk: Routing | None = None
        self.loaded: Routing | None = None
        self.trial_on_disk: Routing | None = None
        self.before: Routing | None = None
        self.trial_loaded = False
        self.sessions: dict[str, int] = {}
        self.down: set[str] = set()
        self.lost: dict[str, int] = {}
        self.old_workers: list[WorkerReading] = []
        self.silent_for = 0
        self.files = _NoFiles()

    def is_running(self) -> bool:
        return self.running

    def container(self) -> str:
        if not self.running:
            raise HostctlError("edge_missing", "HAProxy does not run on this host")
        return "acp-edge"

    def accepting(self) -> list[str]:
        return ["acp-edge"] if self.running else []

    def routes_in_use(self) -> str | None:
        if not self.running:
            return None
        return "trial" if self.trial_loaded else "committed"

    def write_committed(self, routing: Routing) -> bool:
        changed = self.on_disk != routing
        self.on_disk = routing
        return changed

    def has_written(self, routing: Routing) -> bool:
        return (self.on_disk or Routing((), is_trial=False)) == routing

    def load_committed(self) -> None:
        self.container()
        self.before = self.loaded
        self.loaded, self.trial_loaded = self.on_disk, False

    def write_trial(self, routing: Routing) -> None:
        self.container()
        self.trial_on_disk = routing

    def load_trial(self, routing: Routing) -> None:
        self.write_trial(routing)
        self.before = self.loaded
        self.loaded, self.trial_loaded = routing, True

    def has_loaded(self, routing: Routing) -> bool:
        def names(value: Routing | None) -> set[tuple[str, str]]:
            return {(backend.service, server.name) for backend, server in _servers(value)}

        return names(self.loaded) == names(routing)

    def set_weights(self, routing: Routing) -> None:
        assert self.has_loaded(routing), "weights for replicas that HAProxy does not know"
        self.loaded = routing

    def restart(self) -> None:
        """Come back as HAProxy does: on the committed routes."""
        self.loaded, self.trial_loaded = self.on_disk, False

    def stats(self) -> list[ServerStat]:
        self.container()
        return self._stats(self.loaded)

    def failures(self, services: Iterable[str]) -> dict[str, int]:
        return {service: self.lost[service] for service in services if service in self.lost}

    def _stats(self, routing: Routing | None, known: frozenset[str] = frozenset()) -> list[ServerStat]:
        return [
            server_stat(
                backend.service,
                server.name,
                server.weight,
                self._status(server.container),
                self._sessions(server.release),
            )
            for backend, server in _servers(routing)
            if server.release not in known
        ]

    def _finishing(self) -> list[WorkerReading]:
        """Return the worker of the routes before, as long as releases that left the edge since have requests."""
        known = frozenset(server.release for _, server in _servers(self.loaded))
        stats = tuple(self._stats(self.before, known))
        if not any(stat.sessions for stat in stats):
            return []
        return [WorkerReading(key="w-before", is_old=True, stats=stats, client_sessions=0)]

    def survey(self) -> Survey:
        if self.silent_for:
            self.silent_for -= 1
            return Survey(silent=("acp-edge/",))
        current = WorkerReading(key="w", is_old=False, stats=tuple(self.stats()), client_sessions=0)
        return Survey(readings=(current, *self._finishing(), *self.old_workers))

    def fold_counters(self) -> tuple[Ledger, Survey]:
        return Ledger(), self.survey()

    def forget_counters(self, kept: object) -> None:
        return None

    def serving(self) -> set[str]:
        """Return the releases that requests go to, which have to be answered by a running container."""
        return {stat.release for stat in self.stats() if stat.weight and stat.is_up}

    def _status(self, container: str) -> str:
        found = self._engine.all.get(container)
        return "UP" if found and found.is_running and container not in self.down else "DOWN"

    def _sessions(self, release: str) -> int:
        left = self.sessions.get(release, 0)
        self.sessions[release] = max(0, left - 1)
        return left


def _servers(routing: Routing | None) -> list[tuple[Backend, Server]]:
    """Return the replicas of routes, each with its backend."""
    return [(backend, server) for backend in (routing.backends if routing else ()) for server in backend.servers]


class _NoFiles:
    """The edge's files, of which only the description is asked for; no set-up was cut off."""

    def load(self) -> dict[str, Any]:
        return {"container": "acp-edge", "images": {"acp-edge": HAPROXY}}

    def unfinished(self) -> None:
        return None


def server_stat(backend: str, server: str, weight: int, status: str, sessions: int) -> ServerStat:
    """Return a reading of a replica of which nothing else is counted."""
    zero: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(ServerStat)}
    return ServerStat(
        **{**zero, "backend": backend, "server": server, "weight": weight, "status": status, "sessions": sessions}
    )
