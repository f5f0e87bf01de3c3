"""Programs that come as system packages: looked for by command, installed by package."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.toolchain import apt, engine
from infra.toolchain.errors import SetupError
from infra.toolchain.step import State

if TYPE_CHECKING:
    from pathlib import Path

    from infra.toolchain.progress import Progress

PACKAGE_OF = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "git": "git",
    "make": "make",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "update-ca-certificates": "ca-certificates",
}
SYSTEM_FOLDERS = "/usr/sbin:/sbin:/usr/local/sbin"  # not on every user's PATH


def which(command: str) -> str | None:
    """Return where `command` is, on PATH or among the administrator's commands."""
    return shutil.which(command) or shutil.which(command, path=SYSTEM_FOLDERS)


def missing_packages() -> dict[str, str]:
    """Return what is missing: command → package. An engine that answers from elsewhere needs no `dockerd` here."""
    wanted = dict(PACKAGE_OF)
    if engine.answers():
        del wanted["dockerd"]
    missing = {command: package for command, package in wanted.items() if which(command) is None}
    if importlib.util.find_spec("ensurepip") is None:
        missing["python3 -m venv"] = "python3-venv"
    return missing


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPackages:
    """The step that installs what is missing."""

    logs: Path
    name: str = "system packages"
    needs_root: bool = True

    def state(self) -> State:
        """Tell which commands are missing, and the command that installs them."""
        missing = missing_packages()
        if not missing:
            return State(ready=True, detail=", ".join(PACKAGE_OF))
        packages = sorted(set(missing.values()))
        detail = f"missing: {', '.join(missing)} (packages {', '.join(packages)})"
        return State(ready=False, detail=detail, mend=apt.mend(packages))

    def apply(self, progress: Progress) -> None:
        """Install what is missing."""
        packages = sorted(set(missing_packages().values()))
        if not packages:
            return
        with progress.work(self.name, f"installing {', '.join(packages)}"):
            log = self.logs / "apt.log"
            apt.update(log)
            if (
                "docker.io" in packages
                and "docker" in missing_packages()
                and "docker-cli" in apt.candidates(["docker-cli"])
            ):
                packages.append("docker-cli")  # newer releases ship the client apart
            apt.install(packages, log)
        left = missing_packages()
        if left:
            raise SetupError(f"still missing after the installation: {', '.join(left)}", mend=self.state().mend)
