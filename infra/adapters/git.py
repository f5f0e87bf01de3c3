"""The version of sources: `git describe` of the last commit that touched them, and a hash of what is uncommitted."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.adapters.process import run
from infra.errors import SettingsError, ToolError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GIT_TIMEOUT_SECONDS = 30
DIRTY_LENGTH = 6
COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Version and commit of a set of paths."""

    version: str
    commit: str


def describe_sources(root: Path, paths: Sequence[str]) -> Sources:
    """Return the version of `paths`: stable while they do not change, whatever else is committed."""
    try:
        commit = _git(root, "log", "-1", "--format=%H", "--", *paths)
        version = _git(root, "describe", "--tags", "--always", commit) if commit else "unversioned"
        dirty = _dirty_hash(root, paths)
    except ToolError as error:
        raise SettingsError(
            "the version of the sources", [error.what], mend="work in a git checkout, or set `acp:version`"
        ) from None
    return Sources(version=f"{version}-dirty.{dirty}" if dirty else version, commit=commit)


def commit_facts(root: Path, commit: str) -> tuple[str, str]:
    """Return the branch that is checked out and when `commit` was made (UTC); empty what git does not know."""
    branch = _quiet(root, "symbolic-ref", "--short", "-q", "HEAD")
    stamp = _quiet(root, "show", "--no-patch", "--format=%ct", commit) if commit else ""
    moment = datetime.fromtimestamp(int(stamp), UTC).isoformat() if stamp.isdecimal() else ""
    return branch, moment


def commit_subject(root: Path, commit: str) -> str:
    """Return the first line of a commit's message, empty when it is not known here."""
    if not COMMIT.fullmatch(commit):
        return ""
    arguments = ["git", "log", "-1", "--format=%s", commit, "--"]
    try:
        return run(arguments, timeout_seconds=GIT_TIMEOUT_SECONDS, cwd=root, check=False).stdout.strip()
    except ToolError:
        return ""


def head_commit(root: Path) -> str:
    """Return the commit that is checked out, empty outside of a git checkout."""
    try:
        return _git(root, "rev-parse", "--verify", "-q", "HEAD")
    except ToolError:
        return ""


def commit_of(root: Path, version: str) -> str:
    """Return the commit that a version made by `describe_sources` or a git tag means, empty when git knows none."""
    return _quiet(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{version}^{{commit}}")


def checkout_commit(root: Path) -> str:
    """Return the commit that is checked out, marked where tracked files differ from it."""
    head = _git(root, "rev-parse", "HEAD")
    return f"{head}-dirty" if _git(root, "status", "--porcelain", "--untracked-files=no") else head


def _dirty_hash(root: Path, paths: Sequence[str]) -> str:
    """Return a short hash of what is uncommitted below `paths`, or an empty text."""
    difference = _git(root, "diff", "HEAD", "--binary", "--", *paths) if _has_head(root) else ""
    listed = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *paths).split("\0")
    untracked = sorted(name for name in listed if name)
    if not difference and not untracked:
        return ""
    digest = hashlib.sha256(difference.encode())
    for name in untracked:
        digest.update(name.encode())
        digest.update((root / name).read_bytes())
    return digest.hexdigest()[:DIRTY_LENGTH]


def _has_head(root: Path) -> bool:
    return (
        run(
            ["git", "rev-parse", "--verify", "-q", "HEAD"], timeout_seconds=GIT_TIMEOUT_SECONDS, cwd=root, check=False
        ).exit_status
        == 0
    )


def _quiet(root: Path, *arguments: str) -> str:
    """Return git's answer, or nothing where it has none."""
    done = run(["git", *arguments], timeout_seconds=GIT_TIMEOUT_SECONDS, cwd=root, check=False)
    return done.stdout.strip() if done.exit_status == 0 else ""


def _git(root: Path, *arguments: str) -> str:
    return run(["git", *arguments], timeout_seconds=GIT_TIMEOUT_SECONDS, cwd=root).stdout.strip()
