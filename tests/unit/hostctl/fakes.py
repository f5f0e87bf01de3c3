# ruff: noqa: D102 - the methods are those of what a fake stands for
"""A host in memory: its clock, Docker, compose and HAProxy, with hostctl's own files in a temporary folder."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from infra.hostctl.commands import COMMANDS
from infra.hostctl.edge.control import WorkerReading
from infra.hostctl.edge.ledger import Ledger
from infra.hostctl.edge.routing import Routing
from infra.hostctl.edge.settings import EdgeSettings
from infra.hostctl.edge.stats import ServerStat
from infra.hostctl.engine import Container
from infra.hostctl.errors import HostctlError
from infra.hostctl.fields import Fields
from infra.hostctl.host import Host
from infra.hostctl.journal import Journal
from infra.hostctl.lease import Leases
from infra.hostctl.paths import Paths
from infra.hostctl.redact import Redactor
from infra.hostctl.state import StateStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from infra.hostctl.compose import Compose
    from infra.hostctl.edge.control import Edge
    from infra.hostctl.engine import Engine

IMAGE = "registry.test/acp/app@sha256:" + "a" * 64
HAPROXY = "registry.test/library/haproxy@sha256:" + "b" * 64
SECRET = "postgres://user:pa55word@db/acp"


class FakeClock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.boot = "boot-1"

    def monotonic(self) -> float:
        return self.seconds

    def boot_id(self) -> str:
        return self.boot

    def now(self) -> str:
        return f"2026-01-01T00:00:{self.seconds:09.3f}Z"

    def unix(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class FakeEngine:
    """Containers and images in memory."""

    def __init__(self) -> None:
        self.all: dict[str, Container] = {}
        self.images = {IMAGE}
        self.networks = {"acp-local-front"}
        self.logs: dict[str, list[str]] = {}
        self.stopped: list[tuple[str, float]] = []
        self.pulls: list[tuple[str, str | None]] = []
        self.pull_problem: str | None = None
        self.architecture = "amd64"

    def version(self) -> str:
        return "27.0"

    def info(self) -> dict[str, Any]:
        return {"Architecture": "x86_64", "DockerRootDir": "/"}

    def containers(self, project: str) -> list[Container]:
        return sorted((c for c in self.all.values() if c.project == project), key=lambda c: c.name)

    def projects(self, prefix: str) -> dict[str, list[Container]]:
        names = {c.project for c in self.all.values() if c.project.startswith(prefix)}
        return {name: self.containers(name) for name in names}

    def container(self, name: str) -> Container | None:
        return self.all.get(name)

    def change(self, name: str, **fields: Any) -> None:
        self.all[name] = dataclasses.replace(self.all[name], **fields)

    def start(self, name: str) -> None:
        from infra.hostctl.docker_socket import DockerError  # noqa: PLC0415 - only this fake raises it

        if name not in self.all:
            raise DockerError(404, f"No such container: {name}")
        self.change(name, state="running")

    def unpause(self, name: str) -> None:
        self.change(name, state="running")

    def rename(self, name: str, new: str) -> None:
        self.all[new] = dataclasses.replace(self.all.pop(name), name=new)

    def connect(self, name: str, network: str, aliases: list[str]) -> None:
        self.change(name, addresses={**self.all[name].addresses, network: "10.0.1.1"})

    def stop(self, name: str, *, timeout_seconds: float) -> None:
        if name in self.all and self.all[name].is_running:
            self.stopped.append((name, timeout_seconds))
            self.change(name, state="exited")

    def remove(self, name: str) -> None:
        self.all.pop(name, None)

    def set_restart_policy(self, name: str, policy: str) -> None:
        self.change(name, restart_policy=policy)

    def log_tail(self, name: str, lines: int) -> list[str]:
        return self.logs.get(name, [f"last words of {name} with {SECRET}"])[-lines:]

    def image(self, reference: str) -> dict[str, Any] | None:
        return {"Architecture": self.architecture} if reference in self.images else None

    def pull(self, reference: str, *, auth_header: str | None, on_message: object, timeout_seconds: float) -> None:
        from infra.hostctl.docker_socket import DockerError  # noqa: PLC0415 - only this fake raises it

        self.pulls.append((reference, auth_header))
        if self.pull_problem:
            raise DockerError(0, self.pull_problem)
        self.images.add(reference)

    def refuse_pulls(self, message: str) -> None:
        """Have no image, and get none."""
        self.images.clear()
        self.pull_problem = message

    def remove_image(self, reference: str) -> bool:
        known = reference in self.images
        self.images.discard(reference)
        return known

    def network_exists(self, name: str) -> bool:
        return name in self.networks

    def remove_project_networks(self, project: str) -> None:
        return None

    def writable_bytes(self, name: str) -> int | None:
        return 4096

    def stats(self, name: str) -> dict[str, Any]:
        return {"memory_stats": {"usage": 100, "stats": {"inactive_file": 30}, "limit": 1000}}

    def reboot(self) -> None:
        """Let only what Docker starts by itself run again."""
        for name, container in self.all.items():
            kept = container.restart_policy == "unless-stopped" and container.is_running
            self.change(name, state="running" if kept else "exited")


class FakeCompose:
    """Makes containers in the fake engine, one per replica."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.problem: HostctlError | None = None
        self.broken: dict[str, dict[str, Any]] = {}

    def version(self) -> str:
        return "2.26.1"

    def up(self, project: str, document: Mapping[str, Any], **options: Any) -> None:
        self.calls.append((project, dict(document), dict(options.get("secrets") or {})))
        for service, body in document["services"].items():
            for index in range(1, int(body.get("scale", 1)) + 1):
                name = f"{project}-{service}-{index}"
                made = Container(
                    id=name, name=name, image=body["image"], project=project, service=service, state="running",
                    health=None, exit_code=0, is_oom_killed=False, restarts=0, restart_policy=body.get("restart", "no"),
                    started_at="", addresses={"acp-local-front": f"10.0.0.{len(self._engine.all) + 1}"},
                    environment=(f"DATABASE_URL={SECRET}",),
                )  # fmt: skip
                self._engine.all[name] = dataclasses.replace(made, **self.broken.get(service, {}))
            if self.problem:
                raise self.problem


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
        self.trial_loaded = False
        self.sessions: dict[str, int] = {}
        self.down: set[str] = set()
        self.old_workers: list[WorkerReading] = []
        self.files = _NoFiles()

    def is_running(self) -> bool:
        return self.running

    def container(self) -> str:
        if not self.running:
            raise HostctlError("edge_missing", "HAProxy does not run on this host")
        return "acp-edge"

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
        self.loaded, self.trial_loaded = self.on_disk, False

    def load_trial(self, routing: Routing) -> None:
        self.container()
        self.loaded, self.trial_loaded = routing, True

    def has_loaded(self, routing: Routing) -> bool:
        def names(value: Routing | None) -> set[tuple[str, str]]:
            backends = value.backends if value else ()
            return {(backend.service, server.name) for backend in backends for server in backend.servers}

        return names(self.loaded) == names(routing)

    def set_weights(self, routing: Routing) -> None:
        assert self.has_loaded(routing), "weights for replicas that HAProxy does not know"
        self.loaded = routing

    def restart(self) -> None:
        """Come back as HAProxy does: on the committed routes."""
        self.loaded, self.trial_loaded = self.on_disk, False

    def stats(self) -> list[ServerStat]:
        self.container()
        return [
            _stat(
                backend.service,
                server.name,
                server.weight,
                self._status(server.container),
                self._sessions(server.release),
            )
            for backend in (self.loaded.backends if self.loaded else ())
            for server in backend.servers
        ]

    def readings(self) -> list[WorkerReading]:
        return [WorkerReading(key="w", is_old=False, stats=tuple(self.stats()), client_sessions=0), *self.old_workers]

    def fold_counters(self) -> Ledger:
        return Ledger()

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


class _NoFiles:
    """The edge's files, of which only the description is asked for."""

    def load(self) -> dict[str, Any]:
        return {"container": "acp-edge", "images": {"acp-edge": HAPROXY}}


def _stat(backend: str, server: str, weight: int, status: str, sessions: int) -> ServerStat:
    zero: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(ServerStat)}
    return ServerStat(
        **{**zero, "backend": backend, "server": server, "weight": weight, "status": status, "sessions": sessions}
    )


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
        paths, clock = Paths(self.folder), cast("Clock", self.clock)
        return Host(
            paths=paths,
            clock=clock,
            engine=cast("Engine", self.engine),
            compose=cast("Compose", self.compose),
            journal=Journal(paths.journal, clock, observer=self.observer),
            store=StateStore(paths.state),
            leases=Leases(paths.lease, paths.lease_lock, paths.lock, clock),
            edge=cast("Edge", self.edge),
            redactor=Redactor(),
            progress=lambda phase, message: self.progress.append(f"{phase}: {message}"),
            spawn_watchdog=self._spawn,
        )

    def call(self, command: str, **request: Any) -> dict[str, Any]:
        """Run a command in a process of its own."""
        return COMMANDS[command].run(self.host, Fields(request))

    def start(self, release: str, **request: Any) -> dict[str, Any]:
        """Run `start` for a release."""
        return self.call("start", **{"spec": spec(release), "secrets": {"DATABASE_URL": SECRET}, **request})

    def release(self, release: str) -> None:
        """Take a release through a whole rollout."""
        self.start(release)
        for command in ("cutover", "commit", "drain", "park"):
            self.call(command, release=release)

    def running(self) -> set[str]:
        """Return the compose projects of releases that have a running container."""
        return {c.project for c in self.engine.all.values() if c.is_running}

    def _spawn(self) -> None:
        self.watchdogs += 1


def readiness(**changes: Any) -> dict[str, Any]:
    """Return how readiness is judged."""
    return {
        "path": "/health/ready", "field": "status", "equals": "ready", "passes": 3, "interval_seconds": 0.5,
        "timeout_seconds": 10, **changes,
    }  # fmt: skip


def spec(
    release: str, *, replicas: int = 1, services: Sequence[str] = ("ingest", "agents"), **changes: Any
) -> dict[str, Any]:
    """Return a release spec with web services and a worker."""
    body = {
        "image": IMAGE,
        "environment": {"DATABASE_URL": "${DATABASE_URL}"},
        "networks": ["front"],
        "scale": replicas,
        "restart": "unless-stopped",
    }
    web = [
        {
            "name": f"acp-{name}", "compose_service": name, "role": "web", "port": 8000, "replicas": replicas,
            "memory_bytes": 1024, "readiness": readiness(), "drain_timeout_seconds": 30,
            "routes": {"public_port": 8000 + index, "path_prefixes": ["/"] if index == 0 else [f"/{name}"],
                       "repeatable_paths": ["/api/v1/search"]},
        }
        for index, name in enumerate(services)
    ]  # fmt: skip
    worker = {
        "name": "acp-worker", "compose_service": "worker", "role": "worker", "replicas": replicas, "memory_bytes": 1024,
        "drain_timeout_seconds": 120,
    }  # fmt: skip
    return {
        "release": release,
        "stack": "local",
        "project": "acp-" + release.replace(".", "-"),
        "compose": {
            "services": {name: dict(body) for name in (*services, "worker")},
            "networks": {"front": {"name": "acp-local-front", "external": True}},
        },
        "images": [IMAGE],
        "secret_names": ["DATABASE_URL"],
        "services": [*web, worker],
        **changes,
    }
