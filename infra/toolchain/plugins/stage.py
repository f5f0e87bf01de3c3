"""A plugin's folder as it goes into Pulumi's plugin cache: the code, the Python that runs it, and a mark.

Used by the set-up with the system's Python: standard library only.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

VERSIONS = {"command": "1.2.1", "docker": "5.2.0"}
MARK = "DROP-IN"
PYTHON = "python"
LIBRARY = "lib"
PACKAGE = ("infra", "toolchain", "plugins")
HERE = Path(__file__).resolve().parent


def stage(name: str, destination: Path, *, python: Path) -> Path:
    """Make `destination` the folder to install as plugin `name`, run by `python`; return it.

    Whatever was at `destination` is replaced. `python` must have the libraries of requirements/runtime.in.
    """
    if destination.exists():
        shutil.rmtree(destination)
    library = destination / LIBRARY
    package = library.joinpath(*PACKAGE)
    package.mkdir(parents=True)
    for parent in (package, *package.relative_to(library).parents):
        (library / parent / "__init__.py").touch()
    (library / "__init__.py").unlink()
    for part in ("common", name):
        shutil.copytree(HERE / part, package / part, ignore=shutil.ignore_patterns("__pycache__", "pulumi-*", MARK))
    shutil.copy2(HERE / name / f"pulumi-resource-{name}", destination)
    (destination / PYTHON).write_text(f"{python}\n", encoding="utf-8")
    (destination / MARK).write_text(_mark(name), encoding="utf-8")
    return destination


def is_drop_in(folder: Path) -> bool:
    """Say whether an installed plugin's folder is ours rather than the official one."""
    return (folder / MARK).is_file()


def is_current(name: str, folder: Path) -> bool:
    """Say whether an installed drop-in has today's code and a Python that still exists, maybe another checkout's."""
    mark, python = folder / MARK, folder / PYTHON
    if not (mark.is_file() and python.is_file()):
        return False
    return mark.read_text(encoding="utf-8") == _mark(name) and Path(python.read_text(encoding="utf-8").strip()).exists()


def _mark(name: str) -> str:
    """Return the mark: what the folder is, and a digest of its code."""
    digest = hashlib.sha256()
    for part in ("common", name):
        for path in sorted((HERE / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(HERE)}\0".encode())
                digest.update(path.read_bytes())
    return (HERE / name / MARK).read_text(encoding="utf-8") + f"sha256:{digest.hexdigest()}\n"
