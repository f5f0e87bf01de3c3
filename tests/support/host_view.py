"""What a host really looks like, judged from outside: one release serving, nothing left behind, files that agree."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.adapters.hostctl import HostctlClient
from infra.domain.naming import data_network, front_network, project_name
from infra.errors import ReleaseError
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.lab.machine import Machine
    from infra.settings.model import Host
    from tests.support.world import World

BASE = "/home/deploy/acp"
CALL_SECONDS = 30.0
SETTLE_SECONDS = 90.0
STATUS_SECONDS = 0.5
OWN_PROJECTS = {"acp-edge", "acp-core"}
DOCKER_NETWORKS = {"bridge", "host", "none"}
TEMPORARY = re.compile(r"/\.[^/]+$|\.tmp$|checked-")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """One host of a world, seen as root and through hostctl."""

    world: World
    machine: Machine
    host: Host

    @property
    def client(self) -> HostctlClient:
        """Return hostctl with the deploy key."""
        return HostctlClient(host=self.host, key_file=str(self.world.lab.keys / "deploy"))

    def call(self, command: str, *, timeout_seconds: float = CALL_SECONDS, **request: Any) -> dict[str, Any]:
        """Ask hostctl."""
        return self.client.call(command, timeout_seconds=timeout_seconds, **request)

    def status(self) -> dict[str, Any]:
        """Return hostctl's status."""
        return self.call("status")

    @property
    def serving(self) -> str | None:
        """Return the release that serves."""
        serving: str | None = self.status()["serving"]
        return serving

    def docker(self, *arguments: str, timeout_seconds: float = 60, check: bool = True) -> str:
        """Run the host's own docker and return its output."""
        return self.machine.exec(["docker", *arguments], timeout_seconds=timeout_seconds, check=check).stdout

    def sh(self, script: str, *, check: bool = True, timeout_seconds: float = 60) -> str:
        """Run a shell script on the host as root and return its output."""
        return self.machine.exec(["/bin/sh", "-c", script], check=check, timeout_seconds=timeout_seconds).stdout

    def journal(self) -> list[dict[str, Any]]:
        """Return every whole entry of the journal."""
        entries = []
        for line in self.sh(f"cat {BASE}/journal.jsonl 2>/dev/null || true").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def wait_for(self, condition: Callable[[dict[str, Any]], bool], *, timeout_seconds: float, what: str) -> float:
        """Wait until hostctl's status meets `condition`; return the seconds it took, raise `AssertionError` if not."""
        began = time.monotonic()
        last = "no answer"
        while time.monotonic() - began < timeout_seconds:
            try:
                status = self.status()
            except ReleaseError as error:
                last = error.what
            else:
                if condition(status):
                    return time.monotonic() - began
                last = json.dumps({key: status[key] for key in ("serving", "candidate", "retiring", "phase", "drift")})
            time.sleep(STATUS_SECONDS)
        raise AssertionError(f"not within {timeout_seconds:g} s: {what}; last seen {last}")

    def wait_settled(self, *, timeout_seconds: float = SETTLE_SECONDS) -> float:
        """Wait until nothing is on trial or retiring; return the seconds it took."""
        return self.wait_for(
            lambda status: (
                status["candidate"] is None and status["retiring"] is None and status["phase"] in {"idle", "committed"}
            ),
            timeout_seconds=timeout_seconds,
            what=f"{self.host.name} has nothing on trial and nothing retiring",
        )

    def problems(self) -> list[str]:
        """Return in words what is not as it should be on a host at rest; empty when all is well."""
        status = self.status()
        known = {name for name in (status["current"], status["previous"], *status["parked"]) if name}
        return [
            *self._serving_problems(status),
            *self._container_problems(status, known),
            *self._network_problems(),
            *self._file_problems(known),
            *self._journal_problems(status),
        ]

    def _serving_problems(self, status: dict[str, Any]) -> list[str]:
        """Return how edge, state and trial disagree."""
        found = [f"drift: {difference['what']}" for difference in status["drift"]]
        if status["serving"] != status["current"] or status["mixed"]:
            found.append(f"serving {status['serving']}, current {status['current']}, mixed {status['mixed']}")
        if status["candidate"] or status["phase"] not in {"idle", "committed"}:
            found.append(f"candidate {status['candidate']} in phase {status['phase']}")
        if status["edge"]["routes"] != "committed":
            found.append(f"the edge is on its {status['edge']['routes']} routes")
        return found

    def _container_problems(self, status: dict[str, Any], known: set[str]) -> list[str]:
        """Return containers that belong to no known release, or run though they should not."""
        template = '{{.Names}}\t{{.State}}\t{{.Label "com.docker.compose.project"}}'
        projects = {project_name(release): release for release in known}
        found = []
        for line in self.docker("ps", "--all", "--format", template).splitlines():
            name, state, project = line.split("\t")
            if project in OWN_PROJECTS:
                if state != "running":
                    found.append(f"container {name} is {state}")
            elif project not in projects:
                found.append(f"orphan container {name} ({state})")
            elif (state == "running") != (projects[project] == status["current"]):
                found.append(f"container {name} is {state}")
        return found

    def _network_problems(self) -> list[str]:
        """Return networks that nobody asked for."""
        names = set(self.docker("network", "ls", "--format", "{{.Name}}").split())
        own = {front_network(STACK), data_network(STACK)}
        return [f"orphan network {name}" for name in names - DOCKER_NETWORKS - own]

    def _file_problems(self, known: set[str]) -> list[str]:
        """Return files of releases that are gone, and temporary ones."""
        files = self.sh(f"find {BASE} -type f -o -type l").splitlines()
        releases = {path.rsplit("/", 1)[1].removesuffix(".json") for path in files if "/releases/" in path}
        found = [f"orphan file releases/{name}.json" for name in releases - known]
        return found + [f"left-over file {path}" for path in files if TEMPORARY.search(path)]

    def _journal_problems(self, status: dict[str, Any]) -> list[str]:
        """Return how the journal contradicts the status."""
        journal = self.journal()
        committed = [
            entry["release"]
            for entry in journal
            if (entry["phase"], entry["step"], entry["mark"]) == ("commit", "state", "end")
        ]
        if committed and committed[-1] != status["current"] and not _was_taken_back(journal, committed[-1]):
            return [f"the journal's last commit is {committed[-1]}, the state says {status['current']}"]
        return []


def _was_taken_back(journal: Sequence[Mapping[str, Any]], release: str) -> bool:
    """Say whether `release` was reverted after its commit."""
    last = {
        (entry["phase"], entry["step"]): index
        for index, entry in enumerate(journal)
        if entry.get("release") == release and entry["mark"] == "end"
    }
    return last.get(("revert", "state"), -1) > last.get(("commit", "state"), -1)


def views(world: World) -> list[HostView]:
    """Return a view of every host of the world."""
    by_name = {host.name: host for host in world.settings.hosts}
    return [
        HostView(world=world, machine=machine, host=by_name[machine.plan.host_name(machine.index)])
        for machine in world.machines
    ]
