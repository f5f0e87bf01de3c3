"""kamal-proxy on a host of the lab, one for each web service, built from its pinned Go module."""

from __future__ import annotations

import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.lab.docker import docker
from infra.toolchain import places
from infra.toolchain.go_tools import Tool
from infra.toolchain.places import Places
from infra.toolchain.progress import Progress
from infra.toolchain.versions import GoTool
from tests.bench.plain_app import PORTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.host_view import HostView

KAMAL_PROXY = GoTool(
    name="kamal-proxy",
    version="0.9.2",
    executable="kamal-proxy",
    package="github.com/basecamp/kamal-proxy/cmd/kamal-proxy",
    about_seconds=40,
)
FOLDER = "/var/tmp/acp-kamal"  # noqa: S108 - on a host of the lab
HTTP_PORTS = {"ingest": 18200, "agents": 18201}
HTTPS_OFFSET = 100
READY_PATH = "/health/ready"
DEPLOY_SECONDS = 60.0
START_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _BenchPlaces(Places):
    """The checkout's places, with the modules of what is only measured against."""

    @property
    def modules(self) -> Path:
        """Return the folder with one pinned Go module per tool."""
        return self.checkout / "tests" / "bench" / "modules"


def built_proxy() -> Path:
    """Return the program, from the cache or built now."""
    found = places.find()
    tool = Tool(
        tool=KAMAL_PROXY,
        places=_BenchPlaces(checkout=found.checkout, cache=found.cache, pulumi_home=found.pulumi_home),
    )
    tool.apply(Progress())
    folder = tool.cached()
    assert folder is not None, "kamal-proxy was not built"
    return folder / "bin" / KAMAL_PROXY.executable


class KamalProxies:
    """A proxy per web service on one host, each with a port and a state of its own."""

    def __init__(self, view: HostView) -> None:
        """Use the host of `view`; nothing is started."""
        self._view = view

    def start(self) -> None:
        """Copy the program there and start it."""
        program = built_proxy()
        self._view.sh(f"mkdir -p {FOLDER}")
        docker("cp", str(program), f"{self._view.machine.container}:{FOLDER}/kamal-proxy")
        for service, port in HTTP_PORTS.items():
            run = f"kamal-proxy run --http-port {port} --https-port {port + HTTPS_OFFSET}"
            script = f"{_own_folder(service)}; echo $$ > pid; exec {FOLDER}/{run} > log 2>&1"
            docker("exec", "--detach", self._view.machine.container, "/bin/sh", "-c", script)
        for service in HTTP_PORTS:
            self._wait_started(service)

    def stop(self) -> None:
        """Stop both, also one that never started, and remove everything."""
        self._view.sh(f"for pid in {FOLDER}/*/pid; do kill $(cat $pid); done; sleep 1; rm -rf {FOLDER}", check=False)

    def deploy(self, addresses: Mapping[str, str]) -> None:
        """Move each service to the container at its address, as soon as that is healthy; both at once."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda item: self._deploy(*item), addresses.items()))

    def _deploy(self, service: str, address: str) -> None:
        target = shlex.quote(f"{address}:{PORTS[service]}")
        deploy = f"deploy {service} --target {target} --health-check-path {READY_PATH} --health-check-interval 500ms"
        self._view.sh(f"{_own_folder(service)}; {FOLDER}/kamal-proxy {deploy}", timeout_seconds=DEPLOY_SECONDS)

    def _wait_started(self, service: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._view.sh(f"ls {FOLDER}/{service}/kamal-proxy.sock", check=False):
            assert time.monotonic() < deadline, self._view.sh(f"cat {FOLDER}/{service}/log", check=False)
            time.sleep(0.1)


def _own_folder(service: str) -> str:
    """Return the shell words that give a proxy and its commands their own state and socket."""
    folder = f"{FOLDER}/{service}"
    return f"mkdir -p {folder} && cd {folder} && export HOME={folder} XDG_RUNTIME_DIR={folder}"
