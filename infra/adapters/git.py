"""The version of sources: `git describe` of the last commit that touched them, and a hash of what is uncommitted."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.adapters.process import run
from infra.errors import SettingsError, ToolError

if TYPE_CHECKING:
    from collections.abc import Sequence

GIT_TIMEOUT_SECONDS = 30
DIRTY_LENGTH = 6
COMMIT = re.compile(r"[0-9a-f]{7,64}")
SUBMODULE = "160000"
"""The mode by which git lists a repository inside another one."""
WHAT = "the version of the sources"
TOP = ("rev-parse", "--show-toplevel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Version of a set of paths and their commit in their own repository, empty when nobody knows it.

    `is_elsewhere` says that this is not the repository of the project, `is_dirty` that they differ from it.
    """

    version: str
    commit: str
    is_elsewhere: bool = False
    is_dirty: bool = False

    @property
    def project_commit(self) -> str:
        """The commit in the project's repository, empty when the sources are not from there."""
        return "" if self.is_elsewhere else self.commit


def describe_sources(root: Path, paths: Sequence[str]) -> Sources:
    """Return the version of `paths` (relative to `root`, or absolute) as the one repository that has them tells it.

    It is stable while they do not change, whatever else is committed. Raises `SettingsError` where git does not know
    them, more than one repository has them, or what is uncommitted cannot be read.
    """
    try:
        top, places = _locate(root, paths)
        is_elsewhere = _quiet(root, *TOP) != str(top)
        folder = top if is_elsewhere else Path(os.path.realpath(root))
        names = [os.path.relpath(place, folder) for place in places]
        commit = _git(folder, "log", "-1", "--format=%H", "--", *names)
        version = _git(folder, "describe", "--tags", "--always", commit) if commit else "unversioned"
        dirty = _uncommitted(folder, names)[:DIRTY_LENGTH]
    except ToolError as error:
        raise SettingsError(WHAT, [error.what], mend="work in a git checkout, or set `acp:version`") from None
    except OSError as error:
        mend = "make it readable, or let git ignore it, or set `acp:version`"
        raise SettingsError(WHAT, [f"{error.filename}: {error.strerror}"], mend=mend) from None
    version = f"{version}-dirty.{dirty}" if dirty else version
    return Sources(version=version, commit=commit, is_elsewhere=is_elsewhere, is_dirty=bool(dirty))


def commit_facts(root: Path, commit: str) -> tuple[str, str]:
    """Return the branch that is checked out and when `commit` was made (UTC); empty what git does not know."""
    branch = _quiet(root, "symbolic-ref", "--short", "-q", "HEAD")
    stamp = _quiet(root, "show", "--no-patch", "--format=%ct", commit) if commit else ""
    moment = datetime.fromtimestamp(int(stamp), UTC).isoformat() if stamp.isdecimal() else ""
    return branch, moment


def commit_subject(root: Path, commit: str) -> str:
    """Return the first line of a commit's message, empty when it is not known here."""
    return _quiet(root, "log", "-1", "--format=%s", commit, "--") if COMMIT.fullmatch(commit) else ""


def head_commit(root: Path) -> str:
    """Return the commit that is checked out, empty outside of a git checkout."""
    return _quiet(root, "rev-parse", "--verify", "-q", "HEAD")


def commit_of(root: Path, version: str) -> str:
    """Return the commit that a version made by `describe_sources` or a git tag means, empty when git knows none."""
    return _quiet(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{version}^{{commit}}")


def checkout_commit(root: Path) -> str:
    """Return the commit that is checked out, marked where tracked files differ from it; empty outside of a checkout."""
    head = head_commit(root)
    return f"{head}-dirty" if head and _git(root, "status", "--porcelain", "--untracked-files=no") else head


def _locate(root: Path, paths: Sequence[str]) -> tuple[Path, list[Path]]:
    """Return the top of the repository that has all `paths`, and the places in it that they mean.

    A link means what it leads to, and itself too where the same repository has both. Beside paths of the repository
    around it a submodule counts as a whole.
    """
    given = [root / path for path in paths]
    real = [Path(os.path.realpath(path)) for path in given]
    homes = [(_top(place), place) for place in real] or [(_top(root), root)]
    if len({top for top, _ in homes}) > 1:
        homes = [_outermost(top, place) for top, place in homes]
    top, *others = {top for top, _ in homes}
    if others:
        problems = [f"{path} is in the git repository {top}" for path, (top, _) in zip(paths, homes, strict=True)]
        mend = "set `acp:version`, or name paths of one repository in `images.NAME.sources`"
        raise SettingsError(WHAT, problems, mend=mend)
    links = [Path(os.path.realpath(path.parent)) / path.name for path in given if path.is_symlink()]
    return top, [*(place for _, place in homes), *(link for link in links if _quiet(link.parent, *TOP) == str(top))]


def _outermost(top: Path, place: Path) -> tuple[Path, Path]:
    """Return the repository around all submodules that a place is in, and the submodule in it for the place."""
    while outer := _git(top, "rev-parse", "--show-superproject-working-tree"):
        top, place = Path(outer), top
    return top, place


def _top(place: Path) -> Path:
    """Return the top of the repository that a path is in, which need not exist; the error names the path."""
    folder = next(parent for parent in (place, *place.parents) if parent.is_dir())
    try:
        return Path(_git(folder, *TOP))
    except ToolError as error:
        raise ToolError(f"{place}: {error.what}") from None


def _uncommitted(folder: Path, names: Sequence[str]) -> str:
    """Return a hash of what is uncommitted below `names` in `folder`, or an empty text."""
    difference = _git(folder, "diff", "HEAD", "--binary", "--", *names) if head_commit(folder) else ""
    changes: list[Any] = [difference] if difference else []
    untracked = _listed(folder, "--others", "--exclude-standard", "--", *names)
    changes += [[name, _content(folder / name)] for name in untracked]
    staged = (entry.partition("\t") for entry in _listed(folder, "--stage", "--", *names))
    modules = [name for facts, _, name in staged if facts.startswith(SUBMODULE) and (folder / name / ".git").exists()]
    # Of these the difference has the commit alone.
    changes += [[name, inner] for name in modules if (inner := _uncommitted(folder / name, ["."]))]
    return hashlib.sha256(json.dumps(changes).encode()).hexdigest() if changes else ""


def _content(path: Path) -> list[str]:
    """Return what an untracked path is made of: a link's target, a repository's state, or mode and hash of a file."""
    if path.is_symlink():
        return ["link", str(path.readlink())]
    if path.is_dir():
        return ["repository", head_commit(path), _uncommitted(path, ["."])]
    mode = "executable" if path.stat().st_mode & stat.S_IXUSR else "file"
    return [mode, hashlib.sha256(path.read_bytes()).hexdigest()]


def _listed(folder: Path, *arguments: str) -> list[str]:
    """Return what `git ls-files` lists, sorted."""
    done = run(["git", "ls-files", "-z", *arguments], timeout_seconds=GIT_TIMEOUT_SECONDS, cwd=folder)
    return sorted(entry for entry in done.stdout.split("\0") if entry)


def _quiet(root: Path, *arguments: str) -> str:
    """Return git's answer, or nothing where it has none or is not there."""
    try:
        done = run(["git", *arguments], timeout_seconds=GIT_TIMEOUT_SECONDS, cwd=root, check=False)
    except ToolError:
        return ""
    return done.stdout.strip() if done.exit_status == 0 else ""


def _git(root: Path, *arguments: str) -> str:
    return run(["git", *arguments], timeout_seconds=GIT_TIMEOUT_SECONDS, cwd=root).stdout.strip()
