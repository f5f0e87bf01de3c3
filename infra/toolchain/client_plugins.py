"""Docker's compose and buildx plugins."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPlugin:
    """One plugin: how to ask its version, and what packagers call it (Docker's own, Ubuntu's, Debian's)."""

    command: str
    minimum: Version
    packages: tuple[str, ...]
    debian: str  # its name in the Debian release named in `versions.TRIXIE`

    def version(self) -> Version | None:
        """Return the installed version, or None."""
        return parse(ask(["docker", self.command, "version"]) or "")


PLUGINS = (
    ClientPlugin(
        command="compose",
        minimum=versions.COMPOSE,
        packages=("docker-compose-plugin", "docker-compose-v2", "docker-compose"),
        debian="docker-compose",
    ),
    ClientPlugin(
        command="buildx",
        minimum=versions.BUILDX,
        packages=("docker-buildx-plugin", "docker-buildx"),
        debian="docker-buildx",
    ),
)


def choose(plugin: ClientPlugin, offered: dict[str, str]) -> str | None:
    """Return the first package among the `offered` ones (name → version) whose version does, or None."""
    for package in plugin.packages:
        version = parse(offered.get(package, "").rpartition(":")[2])
        if version is not None and version >= plugin.minimum:
            return package
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPlugins:
    """The step that sees to both plugins."""

    logs: Path
    name: str = "docker compose and buildx"
    needs_root: bool = True

    def state(self) -> State:
        """Tell the versions found, and which plugin is missing or too old."""
        found = {plugin: plugin.version() for plugin in PLUGINS}
        lacking = [plugin for plugin, version in found.items() if version is None or version < plugin.minimum]
        detail = ", ".join(f"{p.command} {show(v) if v else 'missing'}" for p, v in found.items())
        if not lacking:
            return State(ready=True, detail=detail)
        return State(ready=False, detail=detail, mend=apt.mend([plugin.packages[0] for plugin in lacking]))

    def apply(self, progress: Progress) -> None:
        """Install what is missing: from the machine's own sources, else from the next Debian release."""
        log = self.logs / "apt.log"
        lacking = [p for p in PLUGINS if (p.version() or (0,)) < p.minimum]
        if not lacking:
            return
        with progress.work(self.name, f"installing {', '.join(plugin.command for plugin in lacking)}"):
            if apt.usable():
                apt.update(log)
            offered = apt.candidates([name for plugin in lacking for name in plugin.packages])
            own = [package for plugin in lacking if (package := choose(plugin, offered))]
            foreign = [plugin.debian for plugin in lacking if choose(plugin, offered) is None]
            if own:
                apt.install(own, log)
            if foreign:
                trixie.install(foreign, log)
        after = self.state()
        if not after.ready:
            raise SetupError(f"after the installation: {after.detail}", mend=trixie.MEND)
