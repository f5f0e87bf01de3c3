"""Files that are whole or absent: written beside, flushed to disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from .errors import HostctlError

PRIVATE = 0o600


def write_atomic(path: Path, text: str, *, mode: int = PRIVATE) -> None:
    """Replace `path` by `text`, so that a reader or a crash sees the old or the new content, never a part."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise file_error(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON."""
    write_atomic(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`, or None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise HostctlError("state_unreadable", f"{path} cannot be read: {error}") from error


def link_atomic(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target`, replacing what was there in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise file_error(path, error) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_error(path: Path, error: OSError) -> HostctlError:
    """Return a failed write as an error of hostctl."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return HostctlError("disk_full", f"no space left to write {path}")
    return HostctlError("state_unreadable", f"{path} cannot be written: {error.strerror or error}")
