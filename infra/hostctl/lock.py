"""File locks of one call's length; the kernel drops them when the process dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Callable

from .errors import HostctlError
from .files import file_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .clock import Clock

POLL_SECONDS = 0.05


def unseen() -> None:
    """Look at nothing while a lock is waited for."""


@contextlib.contextmanager
def locked(path: Path, clock: Clock, *, wait_seconds: float, look: Callable[[], None] = unseen) -> Iterator[None]:
    """Hold the lock for the block; raise `busy` when it is not free within `wait_seconds`.

    `look` is called before every wait, and ends it with what it raises.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise file_error(path, error) from error
    try:
        _acquire(descriptor, path, clock, wait_seconds, look)
        yield
    finally:
        os.close(descriptor)


def is_free(path: Path) -> bool:
    """Return whether nobody holds the lock just now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _acquire(descriptor: int, path: Path, clock: Clock, wait_seconds: float, look: Callable[[], None]) -> None:
    """Take the lock, trying until the time is over."""
    deadline = clock.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if clock.monotonic() >= deadline:
                raise HostctlError("busy", f"another hostctl call is running on this host ({path.name})") from None
            look()
            clock.sleep(POLL_SECONDS)
        else:
            return
