"""A lock between processes, so that nothing is built or installed twice at once.

A program started under a lock holds it too (`held`). If set-up is killed and the program lives on, the next set-up
waits for it instead of working in the same place.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# For what a machine has once, whoever asks: only root changes such things.
MACHINE = Path("/run/lock/acp-release")

_mine = threading.local()


def held() -> tuple[int, ...]:
    """Return the descriptors of the locks that this thread holds, for a program that it starts."""
    return tuple(getattr(_mine, "descriptors", ()))


@contextmanager
def exclusive(path: Path, *, on_wait: Callable[[str], None] = lambda _holder: None) -> Iterator[None]:
    """Hold the lock file `path`; call `on_wait(holder)` once if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait(os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "unknown")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        outer = held()
        _mine.descriptors = (*outer, descriptor)
        try:
            yield
        finally:
            _mine.descriptors = outer
    finally:
        os.close(descriptor)
