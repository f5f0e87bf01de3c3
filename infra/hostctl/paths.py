"""Where hostctl keeps its files on a host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PYZ_DEPTH = 3


@dataclass(frozen=True)
class Paths:
    """The folder layout under `base`."""

    base: Path

    @property
    def journal(self) -> Path:
        """Return the journal."""
        return self.base / "journal.jsonl"

    @property
    def state(self) -> Path:
        """Return the state file."""
        return self.base / "state.json"

    @property
    def lease(self) -> Path:
        """Return the lease file."""
        return self.base / "lease.json"

    @property
    def lease_lock(self) -> Path:
        """Return the lock that guards the lease file."""
        return self.base / "lease.lock"

    @property
    def lock(self) -> Path:
        """Return the lock that one changing call holds."""
        return self.base / "lock"

    @property
    def own_work_lock(self) -> Path:
        """Return the lock that is held beside `lock` while the host acts by itself, for no caller."""
        return self.base / "own-work.lock"

    @property
    def watchdog_lock(self) -> Path:
        """Return the lock that the one watchdog holds."""
        return self.base / "watchdog.lock"

    @property
    def signers(self) -> Path:
        """Return the keys whose clearances count, as ssh-keygen reads them; without this file none is asked for."""
        return self.base / "signers"

    @property
    def reserve(self) -> Path:
        """Return the file that keeps room on the disk for a revert."""
        return self.base / "reserve"

    @property
    def edge(self) -> Path:
        """Return the folder of the edge."""
        return self.base / "edge"

    @property
    def core(self) -> Path:
        """Return the folder of the data services."""
        return self.base / "core"

    @property
    def service_projects(self) -> list[str]:
        """Return the compose projects beside the releases that were set up here: the data services."""
        return sorted(path.stem for path in self.core.glob("*.json"))

    @property
    def versions(self) -> Path:
        """Return the folder of hostctl's own versions."""
        return self.base / "hostctl"

    @property
    def executable(self) -> Path:
        """Return the link to the version of hostctl in use."""
        return self.base / "bin" / "hostctl"

    @property
    def releases(self) -> Path:
        """Return the folder of the releases' descriptions."""
        return self.base / "releases"

    def release(self, release: str) -> Path:
        """Return the file that describes a release."""
        return self.releases / f"{release}.json"


def installed_base(program: str) -> Path | None:
    """Return the base folder that `program` is installed under, or None when it runs from elsewhere."""
    path = Path(program).resolve()
    if len(path.parents) < PYZ_DEPTH or path.parents[1].name != "hostctl":
        return None
    base = path.parents[2]
    return base if (base / "bin").is_dir() else None


def default_base() -> Path:
    """Return the base folder used when nothing says otherwise."""
    return Path.home() / "acp"
