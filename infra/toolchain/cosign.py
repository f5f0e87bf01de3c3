"""cosign, which signs and verifies images: from PATH, this machine's own sources, or the next Debian release."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.toolchain import apt, trixie, versions
from infra.toolchain.errors import SetupError
from infra.toolchain.process import ask
from infra.toolchain.step import State
from infra.toolchain.version_text import Version, parse, show

if TYPE_CHECKING:
    from pathlib import Path

    from infra.toolchain.progress import Progress

PACKAGE = "cosign"
MEND = f"install cosign {show(versions.COSIGN)} or later (it is in Debian {versions.TRIXIE})"


def version() -> Version | None:
    """Return the version of the cosign on PATH, None without one."""
    if shutil.which(PACKAGE) is None:
        return None
    return read_version(ask([PACKAGE, "version"]) or "", ask(["dpkg-query", "-W", "-f", "${Version}", PACKAGE]) or "")


def read_version(own: str, package: str) -> Version | None:
    """Return the version cosign says itself, or its package's: Debian's build only calls itself `devel`."""
    found = re.search(r"^GitVersion:\s+v?(\d\S*)$", own, flags=re.MULTILINE)
    return parse(found.group(1) if found else package)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosign:
    """The step that sees to cosign."""

    logs: Path
    name: str = PACKAGE
    needs_root: bool = True

    def state(self) -> State:
        """Tell the version found."""
        found = version()
        ready = found is not None and found >= versions.COSIGN
        return State(ready=ready, detail=show(found) if found else "missing", mend="" if ready else MEND)

    def apply(self, progress: Progress) -> None:
        """Install it where it is missing or too old."""
        if self.state().ready:
            return
        log = self.logs / "apt.log"
        with progress.work(self.name, "installing"):
            offered = parse(apt.candidates([PACKAGE]).get(PACKAGE, "")) if apt.available() else None
            if offered and offered >= versions.COSIGN:
                apt.install([PACKAGE], log)
            else:
                trixie.install([PACKAGE], log)
        after = self.state()
        if not after.ready:
            raise SetupError(f"after the installation: cosign {after.detail}", mend=MEND)
