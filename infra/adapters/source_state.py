"""The state of an image's sources, as text that is another one when they change, with git and without."""

from __future__ import annotations

import hashlib
import json
import stat
from typing import TYPE_CHECKING

from infra.adapters.git import describe_sources
from infra.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

GIT_FOLDER = ".git"


def source_state(root: Path, paths: Sequence[str]) -> str:
    """Return version and commit of `paths` (relative to `root`, or absolute), or a hash of their files without git.

    The hash takes in what Docker would ignore, but nothing of git's own. A path that does not exist counts as such.
    """
    try:
        found = describe_sources(root, paths)
    except SettingsError:
        states = [[path, sorted(_states((root / path).resolve()))] for path in paths]
        return f"sha256:{hashlib.sha256(json.dumps(states).encode()).hexdigest()}"
    return f"{found.version} {found.commit}".strip()


def _states(place: Path) -> Iterator[list[str]]:
    """Yield the name in `place`, kind and content of everything in it, or of itself where it is no folder."""
    for path in place.rglob("*") if place.is_dir() else [place]:
        name = path.relative_to(place)
        if GIT_FOLDER not in name.parts:
            yield [str(name), *_state(path)]


def _state(path: Path) -> list[str]:
    """Return the kind of a path, and the target of a link or mode and hash of a file."""
    try:
        if path.is_symlink():
            return ["link", str(path.readlink())]
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            kind = "executable" if mode & stat.S_IXUSR else "file"
            return [kind, hashlib.sha256(path.read_bytes()).hexdigest()]
    except OSError as error:
        return ["unreadable", str(error.strerror)]
    return ["other"]
