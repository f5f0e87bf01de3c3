"""The Docker engine: does it answer, and if not, starting it where no service manager does."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.toolchain import apt, versions
from infra.toolchain.errors import SetupError
from infra.toolchain.lock import MACHINE, exclusive
from infra.toolchain.owned import OwnedProcess, identity
from infra.toolchain.process import ask, do, tail
from infra.toolchain.step import State
from infra.toolchain.version_text import parse, show

if TYPE_CHECKING:
    from infra.toolchain.progress import Progress

START_SECONDS = 90
POLL_SECONDS = 0.2
# Each is refused by a starting daemon when it names a process that lives, even one that only inherited the number.
PID_FILES = {
    Path("/var/run/docker.pid"): "dockerd",
    Path("/var/run/docker/containerd/containerd.pid"): "containerd",
}

OPTIONS = ("--userland-proxy=false",)
"""Published ports lead to their containers in the kernel: no program stands in the way of requests to lab hosts, as
none does on a real one, and none keeps a connection open to a host that is gone."""

WEIGHT = 4
"""Processes that all containers together weigh as much as, when they and others want the processors."""
# By default that group weighs as much as a single process beside it: 1024 shares in cgroup v1, 100 in v2.
GROUP_WEIGHTS = {
    Path("/sys/fs/cgroup/cpu/docker/cpu.shares"): 1024 * WEIGHT,
    Path("/sys/fs/cgroup/docker/cpu.weight"): 100 * WEIGHT,
}


def server_version() -> str | None:
    """Return the version of the engine that answers, or None."""
    return (ask(["docker", "version", "--format", "{{.Server.Version}}"]) or "").strip() or None


def answers() -> bool:
    """Tell whether an engine answers."""
    return server_version() is not None


def process_name(pid: int) -> str | None:
    """Return the name of the running process `pid`; None when there is none, or only a zombie that nobody reaps."""
    if identity(pid) is None:
        return None
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def remove_stale_pid_file(path: Path, command: str) -> bool:
    """Remove a pid file that no running `command` stands behind, and tell whether that was so."""
    try:
        pid = int(path.read_text().strip() or "0")
    except OSError:
        return False
    except ValueError:
        pid = 0
    if process_name(pid) == command:
        return False
    path.unlink(missing_ok=True)
    return True


def running_daemon() -> int | None:
    """Return the process id of the `dockerd` of this machine's pid file, or None."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(next(iter(PID_FILES)).read_text().strip())
        if process_name(pid) == "dockerd":
            return pid
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The step that sees to a running engine. It never stops one that it did not start."""

    cache: Path
    name: str = "docker engine"
    needs_root: bool = True

    @property
    def log(self) -> Path:
        """Return the log of an engine started from here."""
        return self.cache / "log" / "dockerd.log"

    @property
    def owned(self) -> OwnedProcess:
        """Return the note on the engine that was started from here."""
        return OwnedProcess(note=self.cache / "dockerd.json")

    def state(self) -> State:
        """Tell which engine answers, or why none does."""
        version = server_version()
        if version is not None:
            found = parse(version) or (0,)
            ready = found >= versions.DOCKER_ENGINE
            mend = "" if ready else f"upgrade the engine to {show(versions.DOCKER_ENGINE)} or later"
            return State(ready=ready, detail=version, mend=mend)
        sock = Path("/var/run/docker.sock")
        if os.geteuid() != 0 and sock.exists() and not os.access(sock, os.W_OK):
            user = os.environ.get("USER") or str(os.geteuid())
            mend = f"sudo usermod -aG docker {user}, then log in again"
            return State(ready=False, detail="this user may not talk to the engine", mend=mend)
        return State(ready=False, detail="not running", mend=apt.mend(["docker.io"]))

    def apply(self, progress: Progress) -> None:
        """Start the engine: by the service manager if there is one, else detached from this process."""
        if answers():
            return
        lock = exclusive(MACHINE / "dockerd.lock", on_wait=lambda pid: progress.say(f"{self.name}: waiting for {pid}"))
        with progress.work(self.name, "starting"), lock:
            if answers():
                return
            if Path("/run/systemd/system").is_dir():
                do(["systemctl", "start", "docker"], timeout_seconds=START_SECONDS, log=self.log)
            elif running_daemon() is None:
                self._start(progress)
            self._await()

    def favour_containers(self) -> None:
        """Let the containers of an engine started from here have more of busy processors than one process has.

        Machines that are containers would otherwise starve beside a handful of programs on the machine they stand on,
        as no real host does for what its deployer's machine is busy with.
        """
        if not self.owned.running():
            return
        for path, weight in GROUP_WEIGHTS.items():
            # A machine may have either version of cgroups, or let nobody change them: then all stays as it is.
            with contextlib.suppress(OSError):
                if path.exists():
                    path.write_text(f"{weight}\n", encoding="ascii")

    def stop(self, progress: Progress) -> None:
        """Stop the engine if it was started from here and runs nothing any more."""
        if not self.owned.running():
            return
        left = (ask(["docker", "ps", "--quiet"]) or "").split()
        if left:
            progress.say(f"{self.name}: left running, {len(left)} containers use it")
            return
        with progress.work(self.name, "stopping the one started from here"):
            self.owned.stop(timeout_seconds=30)

    def _start(self, progress: Progress) -> None:
        daemon = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin")
        if daemon is None or os.geteuid() != 0:
            raise SetupError("the Docker engine does not run", mend=self.state().mend)
        for path, command in PID_FILES.items():
            if remove_stale_pid_file(path, command):
                progress.say(f"{self.name}: removed the stale {path}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink:
            process = subprocess.Popen(
                [daemon, *OPTIONS],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,  # it outlives this process and its terminal
            )
        self.owned.remember(process.pid)

    def _await(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            failed = self.owned.known() and not self.owned.running() and running_daemon() is None
            if failed or time.monotonic() > deadline:
                last = tail(self.log) if self.log.exists() else ""
                raise SetupError(f"the Docker engine does not answer (log: {self.log})\n{last}", mend="read its log")
            time.sleep(POLL_SECONDS)
