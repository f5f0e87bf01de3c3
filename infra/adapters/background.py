"""Processes of our own that outlive the call that started them, and end with the Pulumi engine at the latest."""

from __future__ import annotations

import subprocess
import sys

import psutil

from infra.adapters.environment import plain_environment
from infra.paths import PROJECT_ROOT

ENGINE = "pulumi"


def start_module(
    module: str, *arguments: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    """Start `python -m module` in a session of its own, with neither our output nor our environment."""
    return subprocess.Popen(  # noqa: S603 - an argv list, never a shell
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT_ROOT,
        env=plain_environment() | {"PYTHONPATH": str(PROJECT_ROOT)},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def find_engine() -> psutil.Process:
    """Return the Pulumi engine this program runs under, or the nearest parent."""
    parents = psutil.Process().parents()
    return next((parent for parent in parents if parent.name() == ENGINE), parents[0])


def find_process(pid: int, created: float) -> psutil.Process | None:
    """Return the process with this id that began at this time, None when it has ended."""
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - created) < 1
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
