"""Pulumi's provider plugins in its plugin cache: the official ones, else our own build or the drop-in ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.toolchain import vendor
from infra.toolchain.errors import SetupError
from infra.toolchain.go_tools import Tool
from infra.toolchain.plugins import stage
from infra.toolchain.process import do
from infra.toolchain.step import State
from infra.toolchain.versions import GO_TOOLS

if TYPE_CHECKING:
    from infra.toolchain.places import Places
    from infra.toolchain.progress import Progress

OFFICIAL_SECONDS = 120
INSTALL_SECONDS = 60
BUILT = "BUILT-FROM-MODULE"  # a file beside a plugin of our own build


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPlugin:
    """The step that sees to one plugin. An official one in the cache is never touched."""

    plugin: str
    version: str
    places: Places
    needs_root: bool = False

    @property
    def name(self) -> str:
        """Return the plugin and its version."""
        return f"provider {self.plugin} {self.version}"

    @property
    def folder(self) -> Path:
        """Return the plugin's folder in Pulumi's plugin cache."""
        return self.places.plugins / f"resource-{self.plugin}-v{self.version}"

    def state(self) -> State:
        """Tell which kind of plugin is installed."""
        half = self.folder.with_name(f"{self.folder.name}.partial").exists()
        if half or not os.access(self.folder / f"pulumi-resource-{self.plugin}", os.X_OK):
            return State(ready=False, detail="not in Pulumi's plugin cache", mend="make up")
        if not stage.is_drop_in(self.folder):
            built = (self.folder / BUILT).exists()
            return State(ready=True, detail="built from its Go module" if built else "the official one")
        if stage.is_current(self.plugin, self.folder):
            return State(ready=True, detail="the drop-in one of this repository")
        return State(ready=False, detail="a drop-in one of another state of this repository", mend="make up")

    def apply(self, progress: Progress) -> None:
        """Install the official plugin where it can be downloaded, else what stands for it."""
        if self.state().ready:
            return
        if vendor.reachable() and not stage.is_drop_in(self.folder):
            try:
                with progress.work(self.name, "downloading the official one"):
                    self._install([], seconds=OFFICIAL_SECONDS)
            except SetupError as error:
                progress.say(f"{self.name}: {error.what.splitlines()[0]}")
            else:
                return
        built = next((tool for tool in GO_TOOLS if tool.plugin and tool.name == self.plugin), None)
        if built is None:
            self._install_drop_in(progress)
        else:
            self._install_built(Tool(tool=built, places=self.places), progress)

    def _install_drop_in(self, progress: Progress) -> None:
        with progress.work(self.name, "installing the drop-in one"), tempfile.TemporaryDirectory() as made:
            staged = stage.stage(self.plugin, Path(made) / self.plugin, python=self.places.python)
            self._install(["--file", str(staged), "--reinstall"], seconds=INSTALL_SECONDS)

    def _install_built(self, tool: Tool, progress: Progress) -> None:
        tool.apply(progress)
        folder = tool.cached() or tool.on_path()
        if folder is None:
            raise SetupError(f"{tool.name} was built and is gone again", mend="run this again")
        executable = next(path for path in (folder / "bin", folder) if path.is_dir()) / tool.tool.executable
        work = progress.work(self.name, "installing the one built from its Go module")
        with work, tempfile.TemporaryDirectory() as made:
            shutil.copy2(executable, made)
            (Path(made) / BUILT).write_text(f"{tool.built.name}\n")
            self._install(["--file", made, "--reinstall"], seconds=INSTALL_SECONDS)

    def _install(self, options: list[str], *, seconds: float) -> None:
        do(
            [pulumi_command(self.places), "plugin", "install", "resource", self.plugin, self.version, *options],
            timeout_seconds=seconds,
            log=self.places.logs / "plugins.log",
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
        after = self.state()
        if not after.ready:
            raise SetupError(f"{self.name} after its installation: {after.detail}")

    def remove(self) -> None:
        """Remove the plugin unless it is one that the vendor's server sent."""
        if stage.is_drop_in(self.folder) or (self.folder / BUILT).exists():
            shutil.rmtree(self.folder)
            self.folder.with_name(f"{self.folder.name}.lock").unlink(missing_ok=True)


def pulumi_command(places: Places) -> str:
    """Return the Pulumi command that set-up found or built."""
    tool = Tool(tool=next(tool for tool in GO_TOOLS if tool.name == "pulumi"), places=places)
    built, found = tool.cached(), tool.on_path()
    if built is not None:
        return str(built / "bin" / "pulumi")
    if found is not None:
        return str(found / "pulumi")
    raise SetupError("the Pulumi command is missing", mend="make up")


def all_plugins(places: Places) -> list[ProviderPlugin]:
    """Return every provider plugin that the program uses."""
    built = {tool.name: tool.version for tool in GO_TOOLS if tool.plugin}
    pinned = {**built, **stage.VERSIONS}
    return [ProviderPlugin(plugin=name, version=version, places=places) for name, version in pinned.items()]
