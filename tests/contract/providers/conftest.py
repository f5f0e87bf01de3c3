"""The plugins under test, a host and a registry of the lab to use them on."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from infra.toolchain.plugins import stage
from tests.contract.providers.engine_run import StackRun
from tests.contract.providers.sdk import ConnectionArgs
from tests.support import lab as lab_support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.lab import Lab

lab = lab_support.lab
INSTALL_SECONDS = 60
HOST = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host of the lab, and a prefix for all that a test makes there."""

    lab: Lab
    prefix: str

    @property
    def folder(self) -> str:
        """Return the tests' folder on the host."""
        return f"/home/{self.entry['user']}/{self.prefix}"

    @property
    def entry(self) -> dict[str, Any]:
        """Return the host's entry in the inventory."""
        entry: dict[str, Any] = self.lab.inventory["hosts"][HOST - 1]
        return entry

    @property
    def private_key(self) -> str:
        """Return the setup key."""
        return (self.lab.folder.keys / "setup").read_text(encoding="ascii")

    def connection(self, **changes: Any) -> ConnectionArgs:
        """Return the connection that pulumi-command gets."""
        wanted: dict[str, Any] = {
            "host": self.entry["address"],
            "port": self.entry["port"],
            "user": self.entry["user"],
            "private_key": pulumi.Output.secret(self.private_key),
            "host_key": self.entry["host_key"],
            "dial_error_limit": 2,
        }
        return ConnectionArgs(**{**wanted, **changes})

    def docker_address(self, **changes: Any) -> str:
        """Return the address that pulumi-docker gets."""
        entry = {**self.entry, **changes}
        return f"ssh://{entry['user']}@{entry['address']}:{entry['port']}"

    @property
    def ssh_options(self) -> list[str]:
        """Return the options of the `ssh` that pulumi-docker runs."""
        key_type, key = self.entry["host_key"].split()[:2]
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": "/dev/null",
            "KnownHostsCommand": f"/bin/echo %H {key_type} {key}",
            "LogLevel": "ERROR",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["-F", "/dev/null", "-i", str(self.lab.folder.keys / "setup"), *words]

    def run(self, command: str) -> str:
        """Run `command` on the host, past the plugins, and return its output; it must succeed."""
        done = self.lab.ssh(HOST, command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="session")
def host(lab: Lab) -> Iterator[Host]:
    """Provide a host of the lab and remove what the tests left there."""
    made = Host(lab=lab, prefix=f"contract-{uuid.uuid4().hex[:8]}")
    made.run(f"mkdir -p {made.folder}")
    yield made
    made.run(
        f"docker ps -aq --filter name={made.prefix} | xargs -r docker rm -f; "
        f"docker network ls -q --filter name={made.prefix} | xargs -r docker network rm; "
        f"docker volume ls -q --filter name={made.prefix} | xargs -r docker volume rm -f; rm -rf {made.folder}"
    )


@pytest.fixture(scope="session")
def pulumi_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a Pulumi home with the plugins: the official ones if they are installed, else this checkout's."""
    usual = Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi"))
    folders = {name: usual / "plugins" / f"resource-{name}-v{version}" for name, version in stage.VERSIONS.items()}
    if all(folder.is_dir() and not stage.is_drop_in(folder) for folder in folders.values()):
        return usual
    home = tmp_path_factory.mktemp("pulumi-home")
    for name, version in stage.VERSIONS.items():
        staged = stage.stage(name, tmp_path_factory.mktemp(name) / name, python=Path(sys.executable))
        argv = [f"{sys.prefix}/bin/pulumi", "plugin", "install", "resource", name, version, "--file", str(staged)]
        environment = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        subprocess.run(argv, env=environment, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    return home


@pytest.fixture
def drop_in(pulumi_home: Path) -> Path:
    """Provide the folder of the drop-in plugins' Pulumi home; skip where the official ones are tested."""
    folder = pulumi_home / "plugins"
    if not stage.is_drop_in(folder / f"resource-command-v{stage.VERSIONS['command']}"):
        pytest.skip("the official plugins are installed")
    return folder


@pytest.fixture(scope="module")
def new_stack(tmp_path_factory: pytest.TempPathFactory, pulumi_home: Path) -> Callable[..., StackRun]:
    """Return a maker of scratch stacks."""

    def make(**environment: str) -> StackRun:
        return StackRun(tmp_path_factory.mktemp("stack"), pulumi_home=pulumi_home, environment=environment)

    return make
