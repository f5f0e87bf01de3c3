"""The app of the serving release as plain compose projects on the same host, for what others do with it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from infra.adapters.process import run
from infra.checks.prober import ProbeRequest
from infra.lab.seed import derive, read_seed
from tests.support.host_view import BASE
from tests.support.traffic import RATE, sending

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from infra.checks.prober import Prober
    from tests.faults.stage import Stage

COMPOSE_SECONDS = 300.0
FOLDER = "/run/acp-plain"
PORTS = {"ingest": 8000, "agents": 8001}
"""The app's own ports, by compose service."""


class PlainApp:
    """The compose file of the serving release, and its environment: same images, same limits, same networks."""

    def __init__(self, stage: Stage) -> None:
        """Read what serves; nothing is started."""
        self._stage = stage
        spec = json.loads(stage.view.sh(f"cat {BASE}/releases/{stage.view.serving}.json"))
        self._document = spec["compose"]
        self._environment = self._secrets(spec["project"])

    def open(self) -> None:
        """Log the host's docker in, with a client configuration of its own in memory."""
        server = self._stage.world.settings.registry.server
        password = derive(read_seed(self._stage.world.lab.path), "REGISTRY_PASSWORD")
        self._stage.view.sh(f"mkdir -p {FOLDER}")
        self._run(["docker", "--config", FOLDER, "login", "-u", "acp", "--password-stdin", server], password)

    def close(self) -> None:
        """Remove the login and what else was written."""
        self._stage.view.sh(f"rm -rf {FOLDER}")

    def document(
        self, mark: str, *, published: Mapping[str, int] | None = None, **environment: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return a compose file that differs by `mark`, with `published` ports and more `environment` by service."""
        document: dict[str, Any] = json.loads(json.dumps(self._document))
        document.pop("name", None)
        for name, service in document["services"].items():
            service["environment"] |= {"TEST_MARK": mark, **environment.get(name, {})}
            service["restart"] = "unless-stopped"
            if published and name in published:
                service["ports"] = [f"{published[name]}:{PORTS[name]}"]
        return document

    def traffic(self, ports: Mapping[str, int]) -> AbstractContextManager[Prober]:
        """Return traffic on both services through `ports` of the host, by compose service."""
        machine = self._stage.view.machine
        address = machine.plan.host_bridge_address(machine.index)
        requests = [
            ProbeRequest(name=name, method="GET", url=f"http://{address}:{port}/version")
            for name, port in ports.items()
        ]
        return sending(requests, rate=RATE)

    def compose(self, project: str, document: Mapping[str, Any], *commands: str) -> float:
        """Run `docker compose` commands of a project one after the other, and return the seconds they took."""
        script = f"cat > {FOLDER}/compose.json && cd {FOLDER} && export DOCKER_CONFIG={FOLDER} && {self._exports()}"
        steps = " && ".join(f"docker compose -p {project} -f compose.json {command}" for command in commands)
        began = time.monotonic()
        self._run(["/bin/sh", "-c", script + steps], json.dumps(document))
        return time.monotonic() - began

    def _secrets(self, project: str) -> dict[str, str]:
        """Return the environment of a running container of each service: what compose interpolates."""
        values: dict[str, str] = {}
        for service in self._document["services"]:
            template = "{{json .Config.Env}}"
            shown = self._stage.view.docker("inspect", "--format", template, f"{project}-{service}-1")
            values |= dict(entry.split("=", 1) for entry in json.loads(shown))
        return values

    def _exports(self) -> str:
        names = self._stage.world.settings.secrets.names
        return "".join(f"export {name}='{self._environment[name]}'; " for name in names if name in self._environment)

    def _run(self, argv: list[str], stdin: str) -> None:
        container = self._stage.view.machine.container
        run(["docker", "exec", "--interactive", container, *argv], stdin=stdin, timeout_seconds=COMPOSE_SECONDS)
