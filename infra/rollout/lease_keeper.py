"""The leases between preflight and rollout: while one host still pulls, those of the others must not run out."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.adapters.ssh_sharing import end_lingering

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.rollout.hosts import HostGroup

CALL_TIMEOUT_SECONDS = 20.0


@dataclass(slots=True, kw_only=True)
class LeaseKeeper:
    """A thread that renews the leases of a group every `interval_seconds` until it is stopped.

    It also ends when `is_wanted` says that nobody will come for them, and takes the connections that were left with it:
    a deployer that is gone must not hold a host.
    """

    group: HostGroup
    interval_seconds: float
    is_wanted: Callable[[], bool]
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to renew, one interval from now."""
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self._thread.start()

    def stop(self, *, waits: bool = True) -> None:
        """Stop, and wait for a renewal that is under way, unless there is no time for that."""
        self._over.set()
        if waits and self._thread is not None:
            self._thread.join(timeout=CALL_TIMEOUT_SECONDS)

    def _run(self) -> None:
        while not self._over.wait(self.interval_seconds):
            if not self.is_wanted():
                end_lingering()
                return
            # What stands against a renewal is said to the rollout's own call.
            self.group.attempt(
                lambda client: client.call(
                    "lease",
                    timeout_seconds=CALL_TIMEOUT_SECONDS,
                    action="renew",
                    lease=self.group.leases[client.host.name],
                )
            )


_kept: dict[str, LeaseKeeper] = {}
"""By run id: preflight and rollout of a run are performed by one process."""


def keep_leases(run_id: str, keeper: LeaseKeeper) -> None:
    """Let `keeper` renew the leases of a run until its rollout takes them over."""
    _kept[run_id] = keeper
    keeper.start()


def are_kept(run_id: str) -> bool:
    """Return whether the preflight of a run was in this update, so that its leases are alive."""
    return run_id in _kept


def take_over_leases(run_id: str, *, waits: bool = True) -> None:
    """Stop renewing in the background what was kept for a run; from here on its rollout does. `waits`: see `stop`."""
    keeper = _kept.pop(run_id, None)
    if keeper is not None:
        keeper.stop(waits=waits)
