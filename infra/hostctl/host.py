"""Everything a command works with on this host."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from . import leftovers, reserve
from .clock import Clock
from .compose import Compose
from .edge.control import Edge
from .edge.files import EdgeFiles
from .engine import Engine
from .errors import HostctlError
from .journal import Journal
from .lease import CALL_HOLDER, LeaseRef, Leases
from .lock import is_free, locked, unseen
from .readiness import Prober
from .redact import Redactor
from .runner import Runner
from .state import State, StateStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .journal import Observer
    from .paths import Paths

BUSY_SECONDS = 20.0
TURN_SECONDS = 720.0
"""So long a call waits for its turn where it must have it: two drains of 300 seconds and what comes between.

The callers of `start` and `revert` wait for 900 seconds.
"""
UNWRITABLE = frozenset({"disk_full", "state_unreadable"})
"""Codes of a file that cannot be written."""
UNWRITTEN = LeaseRef(CALL_HOLDER, 0)
"""The lease of an urgent call on a disk that does not even take that."""

Progress = Callable[[str, str], None]


def silent(_phase: str, _message: str) -> None:
    """Report progress to nobody."""


@dataclass
class Host:
    """The files, Docker, the edge and the clock of this host."""

    paths: Paths
    clock: Clock
    engine: Engine
    compose: Compose
    journal: Journal
    store: StateStore
    leases: Leases
    edge: Edge
    redactor: Redactor
    progress: Progress = silent
    spawn_watchdog: Callable[[], None] = field(default=lambda: None)

    @property
    def state(self) -> State:
        """Return the state as it is on disk."""
        return self.store.load()

    def prober(self) -> Prober:
        """Return what waits for readiness, through the network of the edge."""
        network = self.edge.settings.network if self.edge.is_set_up else None
        return Prober(self.engine, self.clock, network, self.redactor)

    @contextlib.contextmanager
    def changing(
        self,
        purpose: str,
        lease: LeaseRef | None,
        *,
        is_urgent: bool = False,
        is_final_on_failure: bool = False,
        look: Callable[[], None] = unseen,
    ) -> Iterator[None]:
        """Hold this host for one call that changes it: the lease first (refused at once), then the lock.

        While the call waits for its turn, `look` is called again and again and ends it with what it raises; the lease
        is asked for again when the turn has come, which after a long wait may be that of a caller who has gone.
        An urgent call may use the disk reserve from the start. The caller's lease is renewed when the call ends, or
        given back when the call fails and `is_final_on_failure`: its run has nothing left to do here.
        """
        self.leases.refuse_if_held(lease)
        patience = self._patience(lease, is_urgent=is_urgent)
        came = self.clock.monotonic()
        with locked(self.paths.lock, self.clock, wait_seconds=patience, look=look):
            if is_urgent:
                self.make_room()
            elif lease is not None and self.clock.monotonic() - came > BUSY_SECONDS:
                self.leases.refuse_if_over(lease)
            held, is_own = self._take(purpose, lease, is_urgent=is_urgent)
            self.journal.context = {"holder": held.holder, "fence": held.fence}
            leftovers.sweep(self.paths)
            if not is_urgent:
                reserve.keep(self.paths.reserve)
            failed = True
            try:
                yield
                failed = False
            finally:
                with contextlib.suppress(Exception):
                    if is_own or (failed and is_final_on_failure):
                        self.leases.release(held)
                    else:
                        self.leases.renew(held)

    def make_room(self) -> None:
        """Give up the disk reserve and go on without a journal if need be: a revert must not fail for a full disk."""
        reserve.use(self.paths.reserve)
        self.journal.lenient = True

    def _patience(self, lease: LeaseRef | None, *, is_urgent: bool) -> float:
        """Return for how many seconds a call waits for its turn.

        Long when it is urgent, and when the host is ending something by itself: that is sure to end. A call without a
        lease could come to its turn after its caller has gone, so it does not wait for the latter.
        """
        is_own_work = lease is not None and not is_free(self.paths.own_work_lock)
        if not (is_urgent or is_own_work):
            return BUSY_SECONDS
        if not is_free(self.paths.lock):
            self.progress("wait", "the host is still ending something else: waiting for that")
        return TURN_SECONDS

    def _take(self, purpose: str, lease: LeaseRef | None, *, is_urgent: bool) -> tuple[LeaseRef, bool]:
        """Renew the caller's lease, or take one for this call.

        An urgent call goes on where that cannot be written down, as long as nobody else has this host.
        """
        try:
            if lease is not None:
                self.leases.renew(lease)
                return lease, False
            return self.leases.acquire_for_call(purpose), True
        except HostctlError as error:
            if not is_urgent or error.code not in UNWRITABLE:
                raise
        self.leases.refuse_if_held(lease)
        return lease or UNWRITTEN, lease is None


def make_host(
    paths: Paths, *, progress: Progress = silent, observer: Observer | None = None, redactor: Redactor | None = None
) -> Host:
    """Return the real host with its files under `paths`."""
    clock, engine, redactor = Clock(), Engine(), redactor or Redactor()
    return Host(
        paths=paths,
        clock=clock,
        engine=engine,
        compose=Compose(Runner(), paths.base / "compose", redactor),
        journal=Journal(paths.journal, clock, observer=observer, redactor=redactor),
        store=StateStore(paths.state, redactor),
        leases=Leases(paths.lease, paths.lease_lock, paths.lock, paths.own_work_lock, clock),
        edge=Edge(EdgeFiles(paths.edge), engine, clock),
        redactor=redactor,
        progress=progress,
    )
