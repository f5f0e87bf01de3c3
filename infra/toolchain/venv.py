"""The virtual environment: hashed requirements, this repository installed editable, and the activation hook."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.toolchain import activate, versions
from infra.toolchain.lock import exclusive
from infra.toolchain.process import ask, do
from infra.toolchain.step import State
from infra.toolchain.version_text import show

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from infra.toolchain.places import Places
    from infra.toolchain.progress import Progress

INSTALL_SECONDS = 1800


def digest(paths: Iterable[Path]) -> str:
    """Return one hash of the contents of `paths`."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualEnvironment:
    """The step that makes `.venv` and keeps it as the locks say."""

    places: Places
    name: str = "virtual environment"
    needs_root: bool = False

    @property
    def note(self) -> Path:
        """Return the file that says what was installed completely."""
        return self.places.venv / "acp-release.json"

    @property
    def unfinished(self) -> Path:
        """Return the file that is there while something is being installed."""
        return self.places.venv / "acp-release.unfinished"

    @property
    def lock(self) -> Path:
        """Return the hashed requirements."""
        return self.places.checkout / "requirements" / "dev.txt"

    def wanted(self) -> dict[str, str]:
        """Return what has to be installed: each part with its key."""
        return {
            "requirements": digest([self.lock]),
            "project": digest([self.places.checkout / "pyproject.toml"]),
            "checkout": str(self.places.checkout),
            "python": os.path.realpath(sys.executable if sys.prefix == sys.base_prefix else sys._base_executable),  # type: ignore[attr-defined]  # noqa: SLF001 - the Python below an active venv has no other name
        }

    def installed(self) -> dict[str, str]:
        """Return what is installed completely."""
        try:
            found = json.loads(self.note.read_text())
        except (OSError, ValueError):
            return {}
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}

    def state(self) -> State:
        """Tell whether everything installed is what the locks say."""
        wanted, installed = self.wanted(), self.installed()
        stale = [key for key, value in wanted.items() if key != "python" and installed.get(key) != value]
        if self.unfinished.exists() or not self.places.python.exists():
            stale = ["installation not finished"]
        if not stale:
            return State(ready=True, detail=f"{self.places.venv}, as requirements/dev.txt says")
        return State(ready=False, detail=f"to be renewed: {', '.join(stale)}", mend="make up")

    def apply(self, progress: Progress) -> None:
        """Make the environment, or bring it up to date."""
        name = hashlib.sha256(bytes(self.places.checkout)).hexdigest()
        lock = self.places.cache / "locks" / f"venv-{name[:12]}.lock"
        with exclusive(lock, on_wait=lambda pid: progress.say(f"{self.name}: waiting for process {pid}")):
            if self.state().ready:
                activate.write(self.places.venv, self.places.checkout)
            else:
                self._install(progress)

    def _install(self, progress: Progress) -> None:
        wanted, installed = self.wanted(), self.installed()
        log = self.places.logs / "venv.log"
        with progress.work(self.name, "installing the hashed requirements"):
            if self._broken(installed, wanted):
                do([wanted["python"], "-m", "venv", "--clear", str(self.places.venv)], timeout_seconds=300, log=log)
                installed = {}
            self.unfinished.touch()
            if installed.get("requirements") != wanted["requirements"]:
                mend = "see to it that pip reaches its package index"
                do(
                    requirements_argv(self.places.python, self.lock),
                    timeout_seconds=INSTALL_SECONDS,
                    log=log,
                    mend=mend,
                )
            do(editable_argv(self.places.python, self.places.checkout), timeout_seconds=INSTALL_SECONDS, log=log)
            activate.write(self.places.venv, self.places.checkout)
            self._write_note(wanted)

    def _broken(self, installed: dict[str, str], wanted: dict[str, str]) -> bool:
        moved = bool(installed) and installed.get("checkout") != wanted["checkout"]
        return moved or self.unfinished.exists() or ask([str(self.places.python), "-m", "pip", "--version"]) is None

    def _write_note(self, wanted: dict[str, str]) -> None:
        fresh = self.note.with_name(f".{self.note.name}.{os.getpid()}")
        fresh.write_text(json.dumps(wanted, indent=2) + "\n")
        fresh.replace(self.note)
        self.unfinished.unlink()


def requirements_argv(python: Path, lock: Path) -> list[str]:
    """Return the command that installs the hashed requirements, wheels only: nothing of theirs runs while it does."""
    options = ["--disable-pip-version-check", "--no-input", "--require-hashes", "--only-binary", ":all:"]
    return [str(python), "-m", "pip", "install", *options, "--requirement", str(lock)]


def editable_argv(python: Path, checkout: Path) -> list[str]:
    """Return the command that installs this repository editable, with the build tools of the environment itself."""
    options = ["--disable-pip-version-check", "--no-input", "--no-deps", "--no-build-isolation", "--no-index"]
    return [str(python), "-m", "pip", "install", *options, "--editable", str(checkout)]


def python_problem() -> str | None:
    """Return what is wrong with the Python that runs this, or None."""
    if sys.version_info[:2] >= versions.PYTHON:
        return None
    return f"Python {show(versions.PYTHON)} or later is needed; this is {show(sys.version_info[:3])}"
