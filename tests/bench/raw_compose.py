"""Figures of raw Compose with the same images on the same host, and of our release and cold rollback against it."""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Any

from infra.adapters.process import run
from infra.checks.prober import Prober, ProbeRequest
from infra.lab.seed import derive, read_seed
from tests.bench.figure import Figure
from tests.faults.stage import COMPARED
from tests.support.host_view import BASE
from tests.support.traffic import loss
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.stage import Stage

REPEATS = 3
COMPOSE_SECONDS = 300.0
PORTS = {"ingest": (8000, 18100), "agents": (8001, 18101)}
PROJECT = "acp-raw"
CONFIG = "/run/acp-raw"
RATE = 100.0
STOP_SECONDS = 60.0


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield `release_ratio`, `cold_rollback_ratio`, their parts, and what raw Compose loses meanwhile.

    A release that is measured follows another one, as most do: after a rollback the stack has no image resources, and
    they are made anew.
    """
    stage.make_good()
    raw = _RawCompose(stage)
    ours, cold, empty, theirs = [], [], [], []
    answers = []
    raw.prepare()
    try:
        raw.up(0)
        for repeat in range(REPEATS):
            for _ in range(2):
                stage.wait_free()
                result = stage.release(COMPARED)
                assert result.good, result.tail()
            ours.append(result.seconds)
            again = stage.world.up()
            assert again.good, again.tail()
            empty.append(again.seconds)
            cold.append(_cold_rollback(stage))
            with Prober(raw.requests(), rate=RATE) as prober:
                time.sleep(1)
                theirs.append(raw.up(repeat + 1))
                time.sleep(1)
            answers += prober.answers
    finally:
        raw.down()
    least = statistics.median(empty) + statistics.median(theirs)
    yield Figure(metric="release_seconds", value=statistics.median(ours), unit="s", n=REPEATS)
    yield Figure(metric="raw_compose_seconds", value=statistics.median(theirs), unit="s", n=REPEATS)
    yield Figure(metric="release_ratio", value=statistics.median(ours) / least, unit="ratio", n=REPEATS)
    yield Figure(metric="cold_rollback_seconds", value=statistics.median(cold), unit="s", n=REPEATS)
    yield Figure(metric="cold_rollback_ratio", value=statistics.median(cold) / least, unit="ratio", n=REPEATS)
    lost = loss(answers)
    yield Figure(metric="raw_compose_lost_requests", value=lost.lost, unit="requests", n=lost.sent)


def _cold_rollback(stage: Stage) -> float:
    """Go back to a release that is no longer kept on the host, and return the seconds from command to prompt."""
    stage.view.wait_settled()
    target = str(stage.view.status()["previous"])
    stage.view.call("stop", release=target, remove=True, timeout_seconds=STOP_SECONDS)
    stage.wait_free()
    result = stage.world.command("rollback", "--stack", STACK, "--to", target, "--yes", check=True)
    return result.seconds


class _RawCompose:
    """The app of the serving release as a plain compose project with published ports."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        release = stage.view.serving
        spec = json.loads(stage.view.sh(f"cat {BASE}/releases/{release}.json"))
        self._document = spec["compose"]
        self._environment = self._secrets(spec["project"])

    def prepare(self) -> None:
        """Log the host's docker in, with a client configuration of its own in memory."""
        server = self._stage.world.settings.registry.server
        password = derive(read_seed(self._stage.world.lab.path), "REGISTRY_PASSWORD")
        self._stage.view.sh(f"mkdir -p {CONFIG}")
        self._run(["docker", "--config", CONFIG, "login", "-u", "acp", "--password-stdin", server], password)

    def up(self, mark: int) -> float:
        """Bring the project to a new configuration as people do, and return the seconds it took."""
        document = json.dumps(self._marked(mark))
        script = f"cat > {CONFIG}/compose.json && cd {CONFIG} && export DOCKER_CONFIG={CONFIG} && {self._exports()}"
        compose = f"docker compose -p {PROJECT} -f compose.json"
        began = time.monotonic()
        self._run(["/bin/sh", "-c", f"{script}{compose} pull -q && {compose} up -d --wait --quiet-pull"], document)
        return time.monotonic() - began

    def down(self) -> None:
        """Remove the project and the login."""
        script = f"cd {CONFIG} && {self._exports()}docker compose -p {PROJECT} -f compose.json down; rm -rf {CONFIG}"
        self._run(["/bin/sh", "-c", script], "")

    def requests(self) -> list[ProbeRequest]:
        """Return requests to both services through their published ports on the bridge."""
        machine = self._stage.view.machine
        address = machine.plan.host_bridge_address(machine.index)
        return [
            ProbeRequest(name=name, method="GET", url=f"http://{address}:{port}/version")
            for name, (_, port) in PORTS.items()
        ]

    def _marked(self, mark: int) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(json.dumps(self._document))
        document.pop("name", None)
        for name, service in document["services"].items():
            service["environment"]["TEST_MARK"] = f"raw-{mark}"
            service["restart"] = "unless-stopped"
            if name in PORTS:
                inside, outside = PORTS[name]
                service["ports"] = [f"{outside}:{inside}"]
        return document

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
