"""The lock that a Pulumi update holds on its stack, and whether who holds it still lives."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.adapters.backend import backend_url, open_store, project_name
from infra.errors import LeaseHeldError, ToolError
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackLock:
    """Who locked a stack, where, and since when."""

    pid: int
    user: str
    machine: str
    since: str

    @property
    def is_stale(self) -> bool:
        """Whether it is of a process of this machine that does not run any more."""
        if self.machine != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        """Return who it is, in words."""
        return f"process {self.pid} of {self.user}@{self.machine} since {self.since[:19]}"


def read_lock(stack: str, environ: Mapping[str, str], root: Path = PROJECT_ROOT) -> StackLock | None:
    """Return the lock of a stack, or None when it is free or its backend keeps locks of its own."""
    store = open_store(backend_url(environ, root))
    if store is None:
        return None
    folder = f".pulumi/locks/{ORGANIZATION}/{project_name(root)}/{stack}"
    for name in store.names(folder):
        if not name.endswith(".json"):
            continue
        try:
            found = json.loads(store.read(f"{folder}/{name}"))
        except (ToolError, ValueError):
            continue  # it was given back, or is being written, just now
        return StackLock(
            pid=int(found.get("pid", 0)),
            user=str(found.get("username", "")),
            machine=str(found.get("hostname", "")),
            since=str(found.get("timestamp", "")),
        )
    return None


def refuse_locked(stack: str, environ: Mapping[str, str], root: Path = PROJECT_ROOT) -> None:
    """Raise when an update holds the stack, or a dead one left its lock, with what to do about it."""
    lock = read_lock(stack, environ, root)
    if lock is None:
        return
    if lock.is_stale:
        raise ToolError(
            f"stack {stack} is locked by {lock}, which does not run any more",
            mend=f"`pulumi cancel --stack {stack} --yes` removes the lock; then run again. Nothing was changed",
        )
    raise LeaseHeldError(
        f"stack {stack} is being updated by {lock}",
        mend=f"wait for it; if it is gone for good, `pulumi cancel --stack {stack} --yes`. Nothing was changed",
    )
