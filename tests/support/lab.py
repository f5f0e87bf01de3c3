"""The lab for tests: brought up or repaired once per session, removed again if this checkout had none."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from infra.lab import registry
from infra.lab.down import down
from infra.lab.folder import LabFolder, read_memory
from infra.lab.machine import Machine, machines
from infra.lab.seed import derive, read_seed
from infra.lab.up import up
from infra.toolchain.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.lab.plan import AddressPlan

HOSTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A lab that is up."""

    folder: LabFolder
    plan: AddressPlan
    inventory: dict[str, Any]

    @property
    def machines(self) -> list[Machine]:
        """The hosts as machines, h1 first."""
        return machines(self.folder)

    @property
    def registry_server(self) -> str:
        """The registry as image names have it."""
        return self.plan.registry_server

    @property
    def registry_password(self) -> str:
        """The password of the registry's user `acp`."""
        return registry.password(self.folder)

    @property
    def tls(self) -> ssl.SSLContext:
        """Trust in the lab's authority alone."""
        return ssl.create_default_context(cafile=str(self.folder.ca_file))

    def secret(self, name: str) -> str:
        """Return the derived secret `name`."""
        return derive(read_seed(self.folder.path), name)

    def ssh(
        self, index: int, command: str, *, key: str = "setup", stdin: str = "", timeout_seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` on host `index` as a release would, over SSH with the pinned host key."""
        host = self.inventory["hosts"][index - 1]
        known = self.folder.path / "known_hosts"
        known.write_text(
            f"[{host['address']}]:{host['port']} {host['host_key']}\n{host['address']} {host['host_key']}\n"
        )
        options = {
            "UserKnownHostsFile": str(known),
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "LogLevel": "ERROR",
        }
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        target = ["-i", str(self.folder.keys / key), "-p", str(host["port"]), f"{host['user']}@{host['address']}"]
        return subprocess.run(
            ["ssh", *flags, *target, command],
            input=stdin,
            text=True,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )

    def pull(self, index: int, name: str) -> str:
        """Pull `name` (`library/redis:8.0`) on host `index`, log out again, and return the full image name."""
        image = f"{self.registry_server}/{name}"
        server = self.registry_server
        login = f"docker login -u acp --password-stdin {server} >/dev/null 2>&1"
        command = f"{login} && docker pull -q {image}; status=$?; docker logout {server} >/dev/null; exit $status"
        done = self.ssh(index, command, stdin=self.registry_password, timeout_seconds=300)
        assert done.returncode == 0, done.stderr
        return image


@contextlib.contextmanager
def own_lab(path: Path, *, hosts: int, library: tuple[str, ...]) -> Iterator[Lab]:
    """Bring up a lab beside the checkout's own, with its files in `path`, and remove it afterwards.

    For tests that switch machines off; `library` names the images that its registry gets.
    """
    folder = LabFolder(path=path)
    progress = Progress()
    try:
        inventory = up(folder, hosts, progress, library=library)
        found = read_memory(folder)
        assert found is not None
        yield Lab(folder=folder, plan=found.plan, inventory=inventory)
    finally:
        down(folder, progress, images=False)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Bring this checkout's lab up with at least two hosts; leave it if it was there, remove it if not."""
    folder = LabFolder.default()
    memory = read_memory(folder)
    progress = Progress()
    try:
        inventory = up(folder, max(HOSTS, memory.hosts if memory else 0), progress)
        found = read_memory(folder)
        assert found is not None
        yield Lab(folder=folder, plan=found.plan, inventory=inventory)
    finally:
        if memory is None:
            down(folder, progress, images=False)
