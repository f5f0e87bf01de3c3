"""The lab's hosts: machines with their own Docker engine and sshd, and what can be done to a machine from outside."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.errors import HostError
from infra.lab.docker import try_docker
from infra.lab.folder import write_atomically
from infra.lab.keys import ensure_key
from infra.lab.plan import PUBLISHED_PORTS, SSH_PORT
from infra.lab.spec import ContainerSpec, content_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.lab.folder import LabFolder
    from infra.lab.plan import AddressPlan

USER = "deploy"
UP_SECONDS = 60.0
SHUTDOWN_SECONDS = 30
# What an engine inside a container needs; `--privileged` does too, but is refused where CAP_SYS_RESOURCE is missing.
NESTED_ENGINE = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined", "--device-cgroup-rule", "a *:* rwm", "--cgroupns", "host"),
    *("--tmpfs", "/run:exec,mode=755", "--tmpfs", "/tmp:exec,mode=1777", "--init"),  # noqa: S108 - the container's
    *("--stop-timeout", str(SHUTDOWN_SECONDS)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostHealth:
    """How one host is: whether its sshd and its Docker engine answer."""

    name: str
    address: str
    ssh: bool
    docker: bool

    @property
    def up(self) -> bool:
        """Whether the host can be released to."""
        return self.ssh and self.docker


def ensure_files(folder: LabFolder, plan: AddressPlan, name: str, authority: str) -> str:
    """See to the files host `name` reads when it boots; return a digest of them."""
    home = folder.host(name)
    files = {
        "ca.pem": authority,
        "registry_server": plan.registry_server + "\n",
        "setup.pub": folder.keys.joinpath("setup.pub").read_text(encoding="ascii"),
    }
    for file_name, text in files.items():
        path = home / file_name
        if not path.exists() or path.read_text(encoding="ascii") != text:
            write_atomically(path, text, mode=0o644)
    return content_digest({**files, "host_key": host_key(folder, name)})


def host_key(folder: LabFolder, name: str) -> str:
    """Return the public host key of `name` (`ssh-ed25519 AAAA…`), which stays the same for the lab's life."""
    return ensure_key(folder.host(name) / "ssh_host_ed25519_key", name)


def volumes(plan: AddressPlan, index: int) -> tuple[str, str]:
    """Return the volumes of host `index`: its engine's data and its home folders."""
    container = plan.container(plan.host_name(index))
    return f"{container}-docker", f"{container}-home"


def spec(folder: LabFolder, plan: AddressPlan, index: int, image: str, content: str) -> ContainerSpec:
    """Return the container that is host `index`."""
    name = plan.host_name(index)
    container = plan.container(name)
    address = plan.host_address(index)
    docker_volume, home_volume = volumes(plan, index)
    return ContainerSpec(
        name=container,
        image=image,
        network=plan.network,
        address=plan.host_bridge_address(index),
        mounts=(
            f"{folder.host(name)}:/etc/acp-lab:ro",
            f"{docker_volume}:/var/lib/docker",
            f"{home_volume}:/home",
            "/sys/fs/cgroup:/sys/fs/cgroup:rw",
        ),
        published=tuple(f"{address}:{plan.host_port(index, port)}:{port}" for port in PUBLISHED_PORTS),
        flags=NESTED_ENGINE,
        content=content,
    )


def health(plan: AddressPlan, index: int) -> HostHealth:
    """Ask sshd and the Docker engine of host `index` whether they answer."""
    name = plan.host_name(index)
    address, port = plan.host_address(index), plan.host_port(index, SSH_PORT)
    engine = try_docker(
        "exec", plan.container(name), "docker", "version", "--format", "{{.Server.Version}}", timeout_seconds=20
    )
    return HostHealth(name=name, address=address, ssh=_greets(address, port), docker=engine is not None)


def _greets(address: str, port: int) -> bool:
    """Say whether an SSH server greets; a published port alone connects even when nothing listens behind it."""
    try:
        with socket.create_connection((address, port), timeout=3) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def wait_up(plan: AddressPlan, indexes: Sequence[int], *, timeout_seconds: float = UP_SECONDS) -> None:
    """Wait until sshd and the engine of every host answer; raise `HostError` naming those that do not in time."""
    deadline = time.monotonic() + timeout_seconds
    missing = list(indexes)
    with ThreadPoolExecutor(max_workers=8) as pool:
        while missing:
            states = list(pool.map(lambda index: (index, health(plan, index)), missing))
            missing = [index for index, state in states if not state.up]
            if missing and time.monotonic() > deadline:
                names = [plan.container(plan.host_name(index)) for index in missing]
                raise HostError(
                    f"not up after {timeout_seconds:.0f} s: {', '.join(names)}",
                    where=_last_words(names[0]),
                    mend=f"see `docker logs {names[0]}`, then run `acp-release lab up` again",
                )
            if missing:
                time.sleep(0.3)


def _last_words(container: str) -> str:
    done = try_docker("logs", "--tail", "3", container)
    return " | ".join((done.stdout + done.stderr).split("\n")).strip(" |") if done else container
