"""Tools in pinned versions: from PATH if the version fits, else from the vendor, else built from Go modules."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.toolchain import go_build, vendor, versions
from infra.toolchain.errors import SetupError
from infra.toolchain.lock import exclusive
from infra.toolchain.process import ask, do
from infra.toolchain.progress import duration
from infra.toolchain.step import State
from infra.toolchain.version_text import fits, parse, show
from infra.toolchain.versions import GO_TOOLS, GoTool

if TYPE_CHECKING:
    from infra.toolchain.places import Places
    from infra.toolchain.progress import Progress

BUILD_SECONDS = 3600
GO_FALLBACK = "/usr/local/go/bin/go"
GO_MEND = f"install Go {show(versions.GO)} or later (https://go.dev/dl), or put the tool itself on PATH"


def find_go() -> str | None:
    """Return the `go` command, or None."""
    return shutil.which("go") or (GO_FALLBACK if os.access(GO_FALLBACK, os.X_OK) else None)


def go_problem() -> str | None:
    """Return what keeps this machine from building, or None. An older Go that fetches its own toolchain will do."""
    go = find_go()
    if go is None:
        return "Go is not installed"
    version = parse(ask([go, "env", "GOVERSION"]) or "") or (0,)
    fetches_itself = (ask([go, "env", "GOTOOLCHAIN"]) or "local").strip() != "local" and version >= (1, 21)
    if version >= versions.GO or fetches_itself:
        return None
    return f"Go {show(versions.GO)} is needed; {go} is {show(version)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """The step that sees to one tool."""

    tool: GoTool
    places: Places
    needs_root: bool = False

    @property
    def name(self) -> str:
        """Return the tool and its version."""
        return f"{self.tool.name} {self.tool.version}"

    @property
    def built(self) -> Path:
        """Return the folder in the cache that has the tool, once it is complete."""
        return self.places.tools / self.tool.name / go_build.cache_key(self.tool, self.places.modules)

    def on_path(self) -> Path | None:
        """Return the folder on PATH (outside of what set-up makes) with the tool in a fitting version, or None."""
        return next((folder for folder in self._path_folders() if self._fits(folder)), None)

    def cached(self) -> Path | None:
        """Return the folder in the cache with the tool, or None."""
        folders = [self.built, *([self._vendored()] if self.tool.name == vendor.SERVED else [])]
        return next((folder for folder in folders if (folder / "complete").exists()), None)

    def must_be_built(self) -> bool:
        """Tell whether nothing but a build brings the tool about."""
        served = self.tool.name == vendor.SERVED and vendor.reachable()
        return not (self.cached() or self.on_path() or served)

    def state(self) -> State:
        """Tell where the tool is."""
        cached = self.cached()
        if cached:
            linked = self.tool.plugin or all(self._links_to(cached, name) for name in self.tool.executables)
            detail = "from the cache" if linked else "built, but not in the virtual environment"
            return State(ready=linked, detail=detail, mend="" if linked else "make up")
        folder = self.on_path()
        if folder:
            return State(ready=True, detail=f"{folder / self.tool.executable}")
        problem = go_problem()
        mend = "make up" if problem is None else GO_MEND
        return State(ready=False, detail=problem or "not built", mend=mend)

    def apply(self, progress: Progress) -> None:
        """Bring the tool into the cache unless it is there or on PATH; linking is a matter of its own."""
        if self.cached() or self.on_path():
            return
        lock = self.places.tools / f"{self.tool.name}.lock"
        with exclusive(lock, on_wait=lambda pid: progress.say(f"{self.name}: waiting for process {pid}")):
            if self.cached():
                return
            self._remove_partial()
            if self.tool.name == vendor.SERVED and vendor.reachable():
                try:
                    with progress.work(self.name, "fetching the vendor's archive"):
                        vendor.fetch(self.tool, self._vendored())
                except SetupError as error:
                    progress.say(f"{self.name}: {error.what}; building it instead")
                else:
                    return
            problem = go_problem()
            if problem:
                raise SetupError(f"{self.name} is not on PATH and cannot be built: {problem}", mend=GO_MEND)
            about = duration(sum(part.about_seconds for part in self.tool.together))
            with progress.work(self.name, f"building from Go modules (about {about} on two cores)"):
                self._build()

    def prefetch(self) -> None:
        """Fetch the sources of a build to come. A failure is not told: the build meets it again."""
        go = find_go()
        if go is None or self.cached() or self.on_path():
            return
        with contextlib.suppress(SetupError):
            for part in self.tool.together:
                do(
                    go_build.prefetch_argv(go, part),
                    timeout_seconds=BUILD_SECONDS,
                    log=self.places.logs / f"fetch-{part.name}.log",
                    env=environment(part),
                    cwd=self.places.modules / part.name,
                )

    def link(self) -> None:
        """Make the virtual environment show the cached tool, or nothing where the one on PATH is used."""
        folder = self.cached()
        for name in self.tool.executables:
            place = self.places.bin / name
            if folder is None:
                if place.is_symlink():
                    place.unlink()
            elif not self._links_to(folder, name):
                fresh = place.with_name(f".{name}.{os.getpid()}")
                fresh.symlink_to(folder / "bin" / name)
                fresh.replace(place)

    def _build(self) -> None:
        self.built.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self.built.parent))
        for part in self.tool.together:
            build(part, self.places, partial / "bin")
        publish(partial, self.built)

    def _links_to(self, folder: Path, name: str) -> bool:
        place = self.places.bin / name
        return place.is_symlink() and place.readlink() == folder / "bin" / name

    def _vendored(self) -> Path:
        return self.places.tools / self.tool.name / f"{self.tool.version}-vendor"

    def _remove_partial(self) -> None:
        for left in self.built.parent.glob(".partial-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _path_folders(self) -> list[Path]:
        folders = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
        # A virtual environment, this checkout's or another's, only shows what set-up put there.
        return [folder for folder in folders if not (folder.parent / "pyvenv.cfg").exists()]

    def _fits(self, folder: Path) -> bool:
        if not all(os.access(folder / name, os.X_OK) for name in self.tool.executables):
            return False
        if not self.tool.version_argv:
            return False
        found = parse(ask([str(folder / self.tool.executable), *self.tool.version_argv]) or "")
        wanted = parse(self.tool.version)
        return found is not None and wanted is not None and fits(found, wanted, exact=self.tool.exact)


def build(part: GoTool, places: Places, target: Path) -> None:
    """Build `part` into the folder `target`, with the files that it needs beside it."""
    go = find_go() or "go"
    do(
        go_build.build_argv(go, part, target),
        timeout_seconds=BUILD_SECONDS,
        log=places.logs / f"build-{part.name}.log",
        env=environment(part),
        cwd=places.modules / part.name,
        mend="see to it that Go reaches its module proxy, then run this again: it goes on where it was",
    )
    for extra in part.files:
        source = module_folder(go, places.modules / extra.folder, extra.module) / extra.path
        shutil.copyfile(source, target / source.name)
        (target / source.name).chmod(0o755)


def environment(part: GoTool) -> dict[str, str]:
    """Return the environment in which `part` is fetched and built on this machine."""
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return go_build.environment(os.environ, part, memory_bytes=memory_bytes)


def publish(partial: Path, place: Path) -> None:
    """Move a finished build to its place in one step; one that is there already came from the same sources."""
    (partial / "complete").touch()
    if place.exists():
        shutil.rmtree(place)
    partial.rename(place)


def module_folder(go: str, module: Path, name: str) -> Path:
    """Return the folder of the Go module `name` in the version that `module` pins."""
    argv = ["env", "-C", str(module), *go_build.download_argv(go, name)]
    answer = ask(argv, timeout_seconds=600)
    if answer is None:
        raise SetupError(f"the Go module {name} cannot be fetched", mend="see to it that Go reaches its module proxy")
    return Path(json.loads(answer)["Dir"])


def all_tools(places: Places) -> list[Tool]:
    """Return every tool, in the order in which a release needs them."""
    return [Tool(tool=tool, places=places) for tool in GO_TOOLS]
