"""The build machine's Docker engine: it has to answer; root starts it where no init system does."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import ToolError
from infra.lab.docker import try_docker
from infra.lab.lock import cache_folder, locked

if TYPE_CHECKING:
    from infra.lab.progress import Progress

PID_FILES = (Path("/var/run/docker.pid"), Path("/var/run/docker/containerd/containerd.pid"))
LOG = Path("/var/log/dockerd.log")
START_SECONDS = 60.0


def answers() -> bool:
    """Say whether the engine answers."""
    done = try_docker("version", "--format", "{{.Server.Version}}", timeout_seconds=20)
    return done is not None and bool(done.stdout.strip())


def ensure_engine(progress: Progress) -> None:
    """See to it that the Docker engine answers; raise `ToolError` with the mend when it cannot."""
    if answers():
        return
    if not shutil.which("docker"):
        raise ToolError("docker is not installed", mend="run `make up`, or see `acp-release doctor`")
    host = os.environ.get("DOCKER_HOST", "")
    if host or os.geteuid() != 0 or Path("/run/systemd/system").exists():
        where = host or "unix:///var/run/docker.sock"
        mend = "start it (`sudo systemctl start docker`), and be in the group `docker`"
        raise ToolError("the Docker engine does not answer", where=where, mend=mend)
    if not shutil.which("dockerd"):
        raise ToolError("the Docker engine is not installed", mend="run `make up`, or see `acp-release doctor`")
    with locked(cache_folder() / "engine.lock", timeout_seconds=START_SECONDS):
        if not answers():
            with progress.step("Starting the Docker engine"):
                _start()


def stale(pid_file: Path, proc: Path = Path("/proc")) -> bool:
    """Say whether a pid file names a process that is gone or is something else by now."""
    try:
        pid = int(pid_file.read_text(encoding="ascii").strip())
        name = (proc / str(pid) / "comm").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return pid_file.exists()
    except ValueError:
        return True
    return name not in {"dockerd", "containerd", "docker-containerd"}


def _start() -> None:
    """Start dockerd apart from this process and wait until it answers."""
    for pid_file in PID_FILES:
        if stale(pid_file):
            with contextlib.suppress(FileNotFoundError):
                pid_file.unlink()
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if answers():
            return
        if process.poll() is not None:
            break
        time.sleep(0.3)
    lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
    raise ToolError("the Docker engine did not start: " + " | ".join(lines), where=str(LOG), mend="see its log")
