"""The journal: what this host did, one JSON line per step's begin and end, on disk before the step goes on.

Each line carries the hash of itself and the line before (`chain.py`), so that a line changed later is found.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import TYPE_CHECKING, Any, Callable

from .chain import last_position, link
from .files import file_error
from .redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .chain import Position
    from .clock import Clock

Observer = Callable[["dict[str, Any]"], None]
TAIL_BYTES = 512 * 1024
LARGEST_BYTES = 16 * 1024 * 1024
FREE_TEXT = frozenset({"error", "purpose", "reason"})
"""Fields in which somebody's words are quoted; the others are names and numbers."""


class Journal:
    """Appends entries, each flushed to disk; `context` fields are in every entry."""

    def __init__(
        self, path: Path, clock: Clock, *, observer: Observer | None = None, redactor: Redactor | None = None
    ) -> None:
        """Write to `path`, what is quoted without secrets; tell `observer` of each entry once it is on disk."""
        self._path = path
        self._clock = clock
        self._redactor = redactor or Redactor()
        self._observer = observer
        self.context: dict[str, Any] = {}
        self.lenient = False

    @contextlib.contextmanager
    def step(self, phase: str, step: str, **fields: Any) -> Iterator[None]:
        """Journal a step's begin, run it, journal its end or failure."""
        self._append({"phase": phase, "step": step, "mark": "begin", **fields})
        try:
            yield
        except BaseException as error:
            with contextlib.suppress(Exception):
                self._append(
                    {
                        "phase": phase,
                        "step": step,
                        "mark": "failed",
                        "error": type(error).__name__,
                        "code": getattr(error, "code", None),
                        **fields,
                    }
                )
            raise
        self._append({"phase": phase, "step": step, "mark": "end", **fields})

    def note(self, phase: str, step: str, **fields: Any) -> None:
        """Journal something that has no duration."""
        self._append({"phase": phase, "step": step, "mark": "note", **fields})

    def tail(self, lines: int) -> list[dict[str, Any]]:
        """Return the last entries, oldest first; a torn line is left out."""
        return _parse(_read_tail(self._path))[-lines:] if lines > 0 else []

    def position(self) -> Position:
        """Return the number and hash of the last entry."""
        return last_position(_parse(_read_tail(self._path)))

    def _append(self, entry: dict[str, Any]) -> None:
        """Write one entry and flush it; when `lenient`, a full disk does not stop the step."""
        shown = {key: self._redactor.value(value) if key in FREE_TEXT else value for key, value in entry.items()}
        full = {"at": self._clock.now(), **self.context, **shown}
        try:
            full = self._write(full)
        except OSError as error:
            if not self.lenient:
                raise file_error(self._path, error) from error
        if self._observer is not None:
            self._observer(full)

    def _write(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Append an entry, ending a torn line first; a file that grew too large becomes `journal.1.jsonl`.

        Several processes write here, and each entry goes on from the last one: so one at a time.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            before = self.position()
            if self._path.exists() and self._path.stat().st_size > LARGEST_BYTES:
                self._path.replace(rotated(self._path))
            linked = link(entry, before)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                line = ("\n" if torn else "") + json.dumps(linked, sort_keys=True) + "\n"
                _append_whole(descriptor, line.encode(), size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return linked

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder of the journal, which needs no file of its own and no room on the disk."""
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _append_whole(descriptor: int, content: bytes, size: int) -> None:
    """Append all of it to a file of `size` bytes, or nothing.

    A disk that has room for a part takes that part, and only says so by its length.
    """
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def rotated(path: Path) -> Path:
    """Return where a journal that grew too large is kept."""
    return path.with_name(f"{path.stem}.1{path.suffix}")


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return every whole entry that is kept, the oldest first."""
    content = b"".join(part.read_bytes() + b"\n" for part in (rotated(path), path) if part.exists())
    return _parse(content)


def _read_tail(path: Path) -> bytes:
    """Return the end of a file, or nothing when it is absent."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - TAIL_BYTES))
            return stream.read()
    except FileNotFoundError:
        return b""


def _parse(content: bytes) -> list[dict[str, Any]]:
    """Return the entries of whole lines."""
    entries = []
    for line in content.split(b"\n"):
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                entries.append(entry)
    return entries
