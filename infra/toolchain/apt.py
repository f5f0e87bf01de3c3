"""Debian packages: what is missing, what the machine's own sources offer, and installing it as root."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from infra.toolchain.errors import SetupError
from infra.toolchain.lock import exclusive
from infra.toolchain.process import ask, do

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SYSTEM_COMMAND = "sudo python3 -m infra.toolchain up --system-only"
MEND = "see to it that apt reaches its sources"
LOCK_SECONDS = 300
INSTALL_SECONDS = 1200


def available() -> bool:
    """Tell whether this machine has apt."""
    return shutil.which("apt-get") is not None


def usable() -> bool:
    """Tell whether packages may be installed here: root, with apt."""
    return available() and os.geteuid() == 0


def mend(packages: Sequence[str]) -> str:
    """Return the one command that brings `packages` about for this user on this machine."""
    if not available():
        return f"install with your package manager what Debian calls {', '.join(packages)}"
    return "make up" if usable() else SYSTEM_COMMAND


def install_argv(packages: Sequence[str]) -> list[str]:
    """Return the command that installs `packages` (names or `./file.deb`) and nothing that they only recommend."""
    options = ["-y", "--no-install-recommends", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]
    return ["apt-get", "install", *options, *packages]


def environment() -> dict[str, str]:
    """Return the environment in which no package asks a question."""
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}


def candidates(packages: Sequence[str]) -> dict[str, str]:
    """Return the version that the machine's own sources offer of each of `packages`, without those they lack."""
    return parse_policy(ask(["apt-cache", "policy", *packages]) or "")


def parse_policy(text: str) -> dict[str, str]:
    """Read the output of `apt-cache policy`."""
    found = re.findall(r"^(\S+):\n(?: .*\n)*?  Candidate: (\S+)$", text, flags=re.MULTILINE)
    return {name: version for name, version in found if version != "(none)"}


def update(log: Path) -> None:
    """Fetch the package lists, and first finish what an interrupted installation left half done."""
    with exclusive(_lock(log)):
        if (ask(["dpkg", "--audit"]) or "").strip():
            do(["dpkg", "--configure", "-a"], timeout_seconds=INSTALL_SECONDS, log=log, env=environment())
        argv = ["apt-get", "update", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]
        do(argv, timeout_seconds=INSTALL_SECONDS, log=log, env=environment(), mend=MEND)


def install(packages: Sequence[str], log: Path) -> None:
    """Install `packages`; raise `SetupError` when this is not allowed here or fails."""
    if not usable():
        raise SetupError(f"not installed: {', '.join(packages)}", mend="run this as root on Debian or Ubuntu")
    with exclusive(_lock(log)):
        do(
            install_argv(packages),
            timeout_seconds=INSTALL_SECONDS,
            log=log,
            env=environment(),
            mend=MEND,
        )


def _lock(log: Path) -> Path:
    return log.with_suffix(".lock")
