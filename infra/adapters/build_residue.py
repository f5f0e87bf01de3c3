"""Removes what the image builder leaves behind: temporary folders with a Docker configuration that holds a password.

The docker-build provider writes one folder per build below the temporary directory and never removes it. The program
may be ended at any moment by a failing resource, so a small process of its own cleans up: it takes the password away as
soon as a build is over, and everything else when the engine has ended, however it ended.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import psutil

from infra.adapters.background import find_engine, start_module

PATTERN = "pulumi-docker-*"
BUILDER = "pulumi-resource"
"""How the builder's process name begins: Linux keeps 15 characters of it."""
END_POLLS = 30
POLL_SECONDS = 0.3


def start_janitor() -> None:
    """Start the process that cleans up after this run's builds."""
    start_module("infra.adapters.build_residue", str(find_engine().pid), str(time.time()))


def clean_until_end(engine_pid: int, since: float, folder: Path) -> None:
    """Take passwords out of finished builds below `folder` until the engine has ended, then remove them all.

    While another run builds, its folders cannot be told from ours: then only the passwords of finished builds go.
    """
    engine = psutil.Process(engine_pid) if psutil.pid_exists(engine_pid) else None
    while engine is not None and engine.is_running() and engine.status() != psutil.STATUS_ZOMBIE:
        for build in _builds(folder, since):
            if (build / "metadata.json").exists():
                (build / "config.json").unlink(missing_ok=True)
        time.sleep(POLL_SECONDS)
    polls = 0
    while (others_build := _is_building()) and polls < END_POLLS:
        polls += 1
        time.sleep(POLL_SECONDS)
    for build in _builds(folder, since):
        if not others_build:
            shutil.rmtree(build, ignore_errors=True)
        elif (build / "metadata.json").exists():
            (build / "config.json").unlink(missing_ok=True)


def _is_building() -> bool:
    """Return whether a builder runs on this machine: our own ends with its engine, so it is another run's."""
    return any(process.info["name"].startswith(BUILDER) for process in psutil.process_iter(["name"]))


def _builds(folder: Path, since: float) -> list[Path]:
    """Return the folders that builds made since a moment."""
    found: list[Path] = []
    for build in folder.glob(PATTERN):
        try:
            changed = build.stat().st_mtime
        except FileNotFoundError:
            continue
        if changed >= since:
            found.append(build)
    return found


if __name__ == "__main__":
    clean_until_end(int(sys.argv[1]), float(sys.argv[2]), Path(tempfile.gettempdir()))
