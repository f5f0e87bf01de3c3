"""A lab host with hostctl and an edge on it, driven as the runner drives it: over SSH, with the deploy key."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.adapters.hostctl import HostctlClient
from infra.checks.prober import ProbeRequest
from infra.errors import ReleaseError
from infra.lab.docker import docker
from infra.settings.model import Host
from tests.support.traffic import sending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.checks.prober import Prober
    from infra.lab.machine import Machine
    from tests.support.lab import Lab

NETWORK = "acp-test-front"
SECRET = "postgres://acp:pa55word-of-a-test@db/acp"
CALL_SECONDS = 120.0
PHASES = ("cutover", "commit", "drain", "park")
RATE = 60.0


def build_image(folder: Path, tag: str, dockerfile: str, *options: str) -> str:
    """Build an image of a few lines in `folder` and return its id; a build from stdin leaves files in /tmp."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    docker("buildx", "build", "--quiet", "--load", *options, "--tag", tag, str(folder))
    return docker("inspect", "--format", "{{.Id}}", tag).stdout.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One host; `images` are references by digest."""

    lab: Lab
    images: dict[str, str] = field(default_factory=dict)

    @property
    def machine(self) -> Machine:
        """Return the host as a machine."""
        return self.lab.machines[0]

    @property
    def host(self) -> Host:
        """Return the host as settings have it."""
        return Host(**self.lab.inventory["hosts"][0])

    @property
    def registry(self) -> dict[str, str]:
        """Return the login of pulls."""
        return {"server": self.lab.registry_server, "username": "acp", "password": self.lab.registry_password}

    def client(self, key: str) -> HostctlClient:
        """Return hostctl with one of the two keys."""
        return HostctlClient(host=self.host, key_file=str(self.lab.folder.keys / key))

    def call(self, command: str, **request: Any) -> dict[str, Any]:
        """Ask hostctl with the deploy key."""
        return self.client("deploy").call(command, timeout_seconds=CALL_SECONDS, **request)

    def edge(self, image: str = "haproxy", **changes: Any) -> dict[str, Any]:
        """Set the edge up with the setup key."""
        request = {
            "stack": "test",
            "image": self.images[image],
            "network": NETWORK,
            "public_ports": [8000, 8001],
            **changes,
        }
        body = json.dumps({"command": "edge", "registry": self.registry, **request})
        done = self.lab.ssh(1, "acp/bin/hostctl edge", stdin=body, timeout_seconds=CALL_SECONDS)
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert answer["event"] == "result", answer
        return answer

    def start(self, release: str, mode: str = "good", **request: Any) -> dict[str, Any]:
        """Start a candidate."""
        return self.call(
            "start", spec=self.spec(release, mode), secrets={"DATABASE_URL": SECRET}, registry=self.registry, **request
        )

    def release(self, release: str) -> None:
        """Take a release through a whole rollout."""
        self.start(release)
        for phase in PHASES:
            self.call(phase, release=release)

    def status(self) -> dict[str, Any]:
        """Return hostctl's status."""
        return self.call("status")

    def settle(self, *, timeout_seconds: float = 90) -> dict[str, Any]:
        """Wait until nothing is on trial or retiring; return the status then."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            with contextlib.suppress(ReleaseError):
                status = self.status()
                if status["phase"] == "idle":
                    return status
            assert time.monotonic() < deadline, "the host never came to rest"
            time.sleep(0.3)

    def docker(self, *arguments: str) -> str:
        """Run the host's own docker."""
        return self.machine.exec(["docker", *arguments]).stdout

    @contextlib.contextmanager
    def traffic(self, *, path: str = "/x", rate: float = RATE) -> Iterator[Prober]:
        """Send requests to both services at a constant rate, every second one not safe to repeat."""
        urls = [f"http://{self.host.reach(port)}{path}" for port in (8000, 8001)]
        requests = [
            ProbeRequest(name=method, method=method, url=url, json={} if method == "POST" else None)
            for method in ("GET", "POST")
            for url in urls
        ]
        with sending(requests, rate=rate) as prober:
            time.sleep(0.5)
            yield prober
            time.sleep(0.5)

    def spec(self, release: str, mode: str = "good") -> dict[str, Any]:
        """Return a release with two web services and a worker."""

        def body(role: str) -> dict[str, Any]:
            environment = {"ACP_RELEASE": release, "MODE": mode, "ROLE": role, "DATABASE_URL": "${DATABASE_URL}"}
            return {"image": self.images["app"], "environment": environment, "networks": ["front"], "mem_limit": 2**27}

        readiness = {
            "path": "/ready",
            "field": "status",
            "equals": "ready",
            "interval_seconds": 0.2,
            "timeout_seconds": 20,
        }
        web = [
            {
                "name": f"acp-{name}", "compose_service": name, "role": "web", "port": 8000, "memory_bytes": 2**27,
                "readiness": readiness, "drain_timeout_seconds": 20,
                "routes": {"public_port": port, "path_prefixes": [prefix], "repeatable_paths": ["/search"]},
            }
            for name, port, prefix in (("ingest", 8000, "/"), ("agents", 8001, "/agents"))
        ]  # fmt: skip
        worker = {"name": "acp-worker", "compose_service": "worker", "role": "worker", "drain_timeout_seconds": 30}
        return {
            "release": release,
            "stack": "test",
            "project": "acp-" + release.replace(".", "-"),
            "compose": {
                "services": {"ingest": body("web"), "agents": body("web"), "worker": body("worker")},
                "networks": {"front": {"name": NETWORK, "external": True}},
            },
            "images": [self.images["app"]],
            "secret_names": ["DATABASE_URL"],
            "services": [*web, worker],
        }
