"""The Docker Engine as hostctl uses it: containers, images, networks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .docker_socket import NOT_FOUND, DockerError, DockerSocket
from .streams import demultiplex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
STOP_MARGIN_SECONDS = 15.0
CONFLICT = 409
NANOSECONDS = 1_000_000_000
LONGEST_HEALTH_CHECK_SECONDS = 30.0
"""What Docker gives a health check that sets no timeout."""


@dataclass(frozen=True)
class Container:
    """A container as it is now."""

    id: str
    name: str
    image: str
    project: str
    service: str
    state: str
    health: str | None
    exit_code: int
    is_oom_killed: bool
    restarts: int
    restart_policy: str
    started_at: str
    addresses: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: tuple[str, ...] = ()
    error: str = ""
    health_check: tuple[str, ...] = ()
    health_timeout_seconds: float = LONGEST_HEALTH_CHECK_SECONDS
    health_output: str = ""
    """What the health check said when Docker ran it last."""
    pid: int = 0
    image_id: str = ""
    cpu_shares: int = 0
    """Its share of a busy processor; 0 is Docker's own default."""

    @property
    def is_running(self) -> bool:
        """Return whether it runs."""
        return self.state == "running"

    def address_on(self, network: str) -> str | None:
        """Return its IP address on a network, or on any when it is not on that one."""
        return self.addresses.get(network) or next(iter(self.addresses.values()), None)

    def values_of(self, names: Collection[str]) -> list[str]:
        """Return the values of those of its environment variables that have one of these names."""
        pairs = (entry.partition("=") for entry in self.environment)
        return [value for name, _, value in pairs if name in names]

    def summary(self) -> dict[str, Any]:
        """Return what a status shows."""
        return {
            "name": self.name,
            "service": self.service,
            "state": self.state,
            "health": self.health,
            "image": self.image,
            "restarts": self.restarts,
        }


class Engine:
    """Docker's API on this host."""

    def __init__(self, socket: DockerSocket | None = None) -> None:
        """Talk through `socket`."""
        self._socket = socket or DockerSocket()

    def version(self) -> str:
        """Return Docker's version."""
        return str(self._socket.json("GET", "/version", timeout_seconds=10)["Version"])

    def info(self) -> dict[str, Any]:
        """Return what Docker says about itself and the host."""
        info: dict[str, Any] = self._socket.json("GET", "/info")
        return info

    def containers(self, project: str) -> list[Container]:
        """Return all containers of a compose project, running or not, in the order of their names."""
        return sorted(self._containers([f"{PROJECT_LABEL}={project}"]), key=lambda container: container.name)

    def projects(self, prefix: str) -> dict[str, list[Container]]:
        """Return the containers of all compose projects whose name starts with `prefix`."""
        found: dict[str, list[Container]] = {}
        for container in self._containers([PROJECT_LABEL], prefix):
            found.setdefault(container.project, []).append(container)
        return found

    def running_projects(self, prefix: str) -> set[str]:
        """Return the compose projects of which a container runs and whose name starts with `prefix`: one question."""
        filters = {"label": [PROJECT_LABEL], "status": ["running"]}
        rows = self._socket.json("GET", "/containers/json", query={"filters": json.dumps(filters)})
        names = (str(row["Labels"].get(PROJECT_LABEL, "")) for row in rows)
        return {name for name in names if name.startswith(prefix)}

    def _containers(self, labels: list[str], prefix: str = "") -> list[Container]:
        """Return containers with the labels, inspected; one that goes away meanwhile is left out."""
        query = {"all": "true", "filters": json.dumps({"label": labels})}
        rows = self._socket.json("GET", "/containers/json", query=query)
        chosen = [row["Id"] for row in rows if str(row["Labels"].get(PROJECT_LABEL, "")).startswith(prefix)]
        return [container for container in map(self.container, chosen) if container is not None]

    def container(self, name: str) -> Container | None:
        """Return a container by name or id, or None."""
        try:
            return parse_container(self._socket.json("GET", f"/containers/{quote(name)}/json"))
        except DockerError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def start(self, name: str) -> None:
        """Start a container; one that runs is left alone."""
        self._socket.call("POST", f"/containers/{quote(name)}/start", timeout_seconds=60)

    def unpause(self, name: str) -> None:
        """Let a paused container go on."""
        self._socket.call("POST", f"/containers/{quote(name)}/unpause")

    def rename(self, name: str, new: str) -> None:
        """Give a container another name."""
        self._socket.call("POST", f"/containers/{quote(name)}/rename", query={"name": new})

    def connect(self, name: str, network: str, aliases: list[str]) -> None:
        """Put a container on a network, under these names."""
        body = {"Container": name, "EndpointConfig": {"Aliases": aliases}}
        self._socket.call("POST", f"/networks/{quote(network)}/connect", body=body)

    def disconnect(self, name: str, network: str) -> None:
        """Take a container off a network."""
        self._socket.call("POST", f"/networks/{quote(network)}/disconnect", body={"Container": name, "Force": True})

    def stop(self, name: str, *, timeout_seconds: float) -> None:
        """Send the stop signal, wait, then kill; one that is stopped or gone is left alone."""
        limit = max(0, round(timeout_seconds))
        self._tolerate_missing(
            "POST", f"/containers/{quote(name)}/stop", query={"t": limit}, timeout_seconds=limit + STOP_MARGIN_SECONDS
        )

    def remove(self, name: str) -> None:
        """Kill and remove a container; one that is gone is left alone."""
        try:
            self._tolerate_missing(
                "DELETE", f"/containers/{quote(name)}", query={"force": "true", "v": "true"}, timeout_seconds=60
            )
        except DockerError as error:
            if error.status != CONFLICT:  # its removal is in progress already
                raise

    def set_restart_policy(self, name: str, policy: str) -> None:
        """Say whether Docker starts a container again by itself: `no` or `always`."""
        self._tolerate_missing("POST", f"/containers/{quote(name)}/update", body={"RestartPolicy": {"Name": policy}})

    def set_cpu_shares(self, name: str, shares: int) -> None:
        """Give a container another share of a busy processor; one that runs has it at once."""
        self._tolerate_missing("POST", f"/containers/{quote(name)}/update", body={"CpuShares": shares})

    def log_tail(self, name: str, lines: int) -> list[str]:
        """Return the last log lines of a container."""
        query = {"stdout": 1, "stderr": 1, "tail": lines}
        try:
            content = self._socket.call("GET", f"/containers/{quote(name)}/logs", query=query)
        except DockerError as error:
            return [f"(no logs: {error.message})"]
        return demultiplex(content).decode(errors="replace").splitlines()[-lines:]

    def stats(self, name: str) -> dict[str, Any]:
        """Return one reading of a container's use of memory and processor."""
        stats: dict[str, Any] = (
            self._socket.json("GET", f"/containers/{quote(name)}/stats", query={"stream": "false", "one-shot": "true"})
            or {}
        )
        return stats

    def writable_bytes(self, name: str) -> int | None:
        """Return the size of what a container wrote outside its volumes, None when it is gone or Docker cannot tell."""
        try:
            raw = self._socket.json("GET", f"/containers/{quote(name)}/json", query={"size": "true"})
        except DockerError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        size = raw.get("SizeRw", 0)
        return None if size is None else int(size)

    def execute(self, name: str, argv: list[str], *, timeout_seconds: float = 30.0) -> tuple[int, str]:
        """Run a command in a running container; return its exit status and output."""
        body = {"AttachStdout": True, "AttachStderr": True, "Cmd": argv}
        exec_id = self._socket.json("POST", f"/containers/{quote(name)}/exec", body=body)["Id"]
        content = self._socket.call(
            "POST", f"/exec/{exec_id}/start", body={"Detach": False, "Tty": False}, timeout_seconds=timeout_seconds
        )
        status = self._socket.json("GET", f"/exec/{exec_id}/json")["ExitCode"]
        return int(status if status is not None else -1), demultiplex(content).decode(errors="replace")

    def image(self, reference: str) -> dict[str, Any] | None:
        """Return an image that is on the host, or None."""
        try:
            image: dict[str, Any] = self._socket.json("GET", f"/images/{quote(reference, safe='/:@')}/json")
        except DockerError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return image

    def pull(
        self, reference: str, *, auth_header: str | None, on_message: Callable[[str], None], timeout_seconds: float
    ) -> None:
        """Pull an image; raise DockerError with the message of the registry or the disk."""
        headers = {"X-Registry-Auth": auth_header} if auth_header else {}
        name, _, digest = reference.partition("@")
        query = {"fromImage": name, "tag": digest}
        for line in self._socket.lines(
            "POST", "/images/create", query=query, headers=headers, timeout_seconds=timeout_seconds
        ):
            if "error" in line:
                raise DockerError(0, str(line["error"]))
            on_message(str(line.get("status", "")))

    def remove_image(self, reference: str) -> bool:
        """Remove an image unless a container uses it; return whether it is gone."""
        try:
            self._socket.call("DELETE", f"/images/{quote(reference, safe='/:@')}", timeout_seconds=60)
        except DockerError as error:
            if error.status in {NOT_FOUND, CONFLICT}:
                return False
            raise
        return True

    def network_exists(self, name: str) -> bool:
        """Return whether there is such a network."""
        try:
            self._socket.call("GET", f"/networks/{quote(name)}")
        except DockerError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def remove_project_networks(self, project: str) -> None:
        """Remove the networks that compose made for a project; one in use is left alone."""
        query = {"filters": json.dumps({"label": [f"{PROJECT_LABEL}={project}"]})}
        for network in self._socket.json("GET", "/networks", query=query) or []:
            try:
                self._socket.call("DELETE", f"/networks/{network['Id']}")
            except DockerError as error:
                if error.status not in {NOT_FOUND, CONFLICT, 403}:
                    raise

    def _tolerate_missing(self, method: str, path: str, **options: Any) -> None:
        """Make a call whose object may be gone."""
        try:
            self._socket.call(method, path, **options)
        except DockerError as error:
            if error.status != NOT_FOUND:
                raise


def parse_container(raw: dict[str, Any]) -> Container:
    """Return a container from Docker's inspection."""
    state, config, host = raw["State"], raw["Config"], raw["HostConfig"]
    labels = config.get("Labels") or {}
    networks = raw.get("NetworkSettings", {}).get("Networks") or {}
    check, health = config.get("Healthcheck") or {}, state.get("Health") or {}
    return Container(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        image=config["Image"],
        project=labels.get(PROJECT_LABEL, ""),
        service=labels.get(SERVICE_LABEL, ""),
        state=state["Status"],
        health=health.get("Status"),
        exit_code=int(state.get("ExitCode") or 0),
        is_oom_killed=bool(state.get("OOMKilled")),
        restarts=int(raw.get("RestartCount") or 0),
        restart_policy=(host.get("RestartPolicy") or {}).get("Name") or "no",
        started_at=str(state.get("StartedAt", "")),
        addresses={name: network["IPAddress"] for name, network in networks.items() if network.get("IPAddress")},
        aliases={name: tuple(network.get("Aliases") or ()) for name, network in networks.items()},
        environment=tuple(config.get("Env") or ()),
        error=str(state.get("Error") or ""),
        health_check=_health_check(check.get("Test") or [], config.get("Shell") or ["/bin/sh", "-c"]),
        health_timeout_seconds=(check.get("Timeout") or 0) / NANOSECONDS or LONGEST_HEALTH_CHECK_SECONDS,
        health_output=str((health.get("Log") or [{}])[-1].get("Output") or ""),
        pid=int(state.get("Pid") or 0),
        image_id=str(raw.get("Image") or ""),
        cpu_shares=int(host.get("CpuShares") or 0),
    )


def _health_check(test: list[str], shell: list[str]) -> tuple[str, ...]:
    """Return the command of a health check, empty for none; `shell` is the image's."""
    if test[:1] == ["CMD"]:
        return tuple(test[1:])
    return (*shell, test[1]) if test[:1] == ["CMD-SHELL"] and test[1:] else ()
