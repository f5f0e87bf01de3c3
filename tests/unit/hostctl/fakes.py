# ruff: noqa: D102 - the methods are those of what a fake stands for
"""A host's clock, Docker and compose, in memory."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.hostctl.engine import Container
from tests.unit.hostctl.release_spec import IMAGE, SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.hostctl.errors import HostctlError


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
        return datetime.fromtimestamp(self.seconds, UTC).isoformat(timespec="milliseconds")

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

    def running_projects(self, prefix: str) -> set[str]:
        return {c.project for c in self.all.values() if c.is_running and c.project.startswith(prefix)}

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
        container = self.all[name]
        assert network not in container.addresses, f"endpoint {name} already exists in network {network}"
        self.change(
            name,
            addresses={**container.addresses, network: "10.0.1.1"},
            aliases={**container.aliases, network: tuple(aliases)},
        )

    def disconnect(self, name: str, network: str) -> None:
        container = self.all[name]
        self.change(
            name,
            addresses={key: address for key, address in container.addresses.items() if key != network},
            aliases={key: names for key, names in container.aliases.items() if key != network},
        )

    def stop(self, name: str, *, timeout_seconds: float) -> None:
        if name in self.all and self.all[name].is_running:
            self.stopped.append((name, timeout_seconds))
            self.change(name, state="exited")

    def remove(self, name: str) -> None:
        self.all.pop(name, None)

    def set_restart_policy(self, name: str, policy: str) -> None:
        self.change(name, restart_policy=policy)

    def set_cpu_shares(self, name: str, shares: int) -> None:
        self.change(name, cpu_shares=shares)

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
            self.change(name, state="running" if kept or container.restart_policy == "always" else "exited")

    def crash(self) -> None:
        """Die and come back as Docker does: it stops what still runs, and has that for stopped by hand from then on."""
        for name, container in self.all.items():
            self.change(name, state="running" if container.restart_policy == "always" else "exited")


class FakeCompose:
    """Makes containers in the fake engine, one per replica."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.timeouts: list[float] = []
        self.problem: HostctlError | None = None
        self.broken: dict[str, dict[str, Any]] = {}

    def version(self) -> str:
        return "2.26.1"

    def up(self, project: str, document: Mapping[str, Any], **options: Any) -> None:
        self.calls.append((project, dict(document), dict(options.get("secrets") or {})))
        self.timeouts.append(options.get("timeout_seconds", 0))
        wanted = options.get("services") or document["services"]
        for service, body in document["services"].items():
            if service not in wanted:
                continue
            networks = body["networks"]
            options_of_front = networks["front"] if isinstance(networks, dict) else {}
            for index in range(1, int(body.get("scale", 1)) + 1):
                name = f"{project}-{service}-{index}"
                made = Container(
                    id=name, name=name, image=body["image"], project=project, service=service, state="running",
                    health=None, exit_code=0, is_oom_killed=False, restarts=0, restart_policy=body.get("restart", "no"),
                    started_at="", addresses={"acp-local-front": f"10.0.0.{len(self._engine.all) + 1}"},
                    aliases={"acp-local-front": (name, service, *options_of_front.get("aliases", ()))},
                    environment=(f"DATABASE_URL={SECRET}",),
                )  # fmt: skip
                self._engine.all[name] = dataclasses.replace(made, **self.broken.get(service, {}))
            if self.problem:
                raise self.problem
