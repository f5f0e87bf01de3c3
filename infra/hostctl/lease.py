"""The lease: who may change this host; its fencing number only grows, so that a holder who lost it is refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import HostctlError
from .files import read_json, write_json
from .lock import is_free, locked

if TYPE_CHECKING:
    from pathlib import Path

    from .clock import Clock
    from .fields import Fields

DEFAULT_TTL_SECONDS = 30
LONGEST_TTL_SECONDS = 60
SHORTEST_TTL_SECONDS = 5
LOCK_WAIT_SECONDS = 5.0
CALL_HOLDER = "hostctl"


@dataclass(frozen=True)
class Lease:
    """A lease as it is kept; `renewed` is in seconds since the boot `boot_id`. Without a holder it is free.

    One that a single call took for its own length (`is_call`) ends with that call, however the call ends.
    """

    holder: str | None
    purpose: str
    since: str
    renewed: float
    boot_id: str
    ttl_seconds: int
    fence: int
    is_call: bool = False

    def age_seconds(self, clock: Clock) -> float | None:
        """Return the seconds since the last heartbeat, or None when the host was booted since."""
        return clock.monotonic() - self.renewed if self.boot_id == clock.boot_id() else None

    def is_live(self, clock: Clock) -> bool:
        """Return whether somebody holds it and was heard of within its time."""
        age = self.age_seconds(clock)
        return self.holder is not None and age is not None and age <= self.ttl_seconds

    def public(self, clock: Clock) -> dict[str, Any]:
        """Return what others may see."""
        age = self.age_seconds(clock)
        return {
            "holder": self.holder,
            "purpose": self.purpose,
            "since": self.since,
            "fence": self.fence,
            "ttl_seconds": self.ttl_seconds,
            "age_seconds": None if age is None else round(age, 1),
            "live": self.is_live(clock),
        }


@dataclass(frozen=True)
class LeaseRef:
    """The lease that a request claims to hold."""

    holder: str
    fence: int


def read_lease(fields: Fields) -> LeaseRef | None:
    """Read the optional `lease` of a request."""
    inner = fields.object("lease", optional=True)
    if inner is None:
        return None
    ref = LeaseRef(inner.text("holder"), inner.integer("fence", least=1))
    inner.close()
    return ref


class Leases:
    """The lease of this host, in a file guarded by a lock of its own, so that a heartbeat never waits for a call."""

    def __init__(self, path: Path, lock: Path, call_lock: Path, own_work_lock: Path, clock: Clock) -> None:
        """Keep it at `path`, guarded by `lock`.

        `call_lock` is what a changing call holds while it lives, and the host too while it acts by itself; then
        `own_work_lock` is held as well.
        """
        self._path = path
        self._lock = lock
        self._call_lock = call_lock
        self._own_work_lock = own_work_lock
        self._clock = clock

    def current(self) -> Lease | None:
        """Return the lease as it is, live or not."""
        value = read_json(self._path)
        return Lease(**value) if value else None

    def shown(self) -> dict[str, Any] | None:
        """Return the lease for a status: none when nobody holds it, or only a call that has ended."""
        lease = self.current()
        if lease is None or lease.holder is None or (lease.is_call and not self._is_call_at_work()):
            return None
        return lease.public(self._clock)

    def has_deployer(self) -> bool:
        """Return whether a deployer has the lease and was heard of in time."""
        lease = self._of_deployer()
        return lease is not None and lease.is_live(self._clock)

    def is_forsaken(self) -> bool:
        """Return whether a deployer took the lease and was not heard of in time."""
        lease = self._of_deployer()
        return lease is not None and not lease.is_live(self._clock)

    def _of_deployer(self) -> Lease | None:
        """Return the lease if a deployer has it, heard of or not: no single call, and not given back."""
        lease = self.current()
        return None if lease is None or lease.holder is None or lease.is_call else lease

    def acquire(self, holder: str, purpose: str, ttl_seconds: int) -> tuple[Lease, Lease | None]:
        """Take the lease, also from a holder that was not heard of in time; return it and the one it was taken from."""
        return self._take(holder, purpose, ttl_seconds, is_call=False)

    def acquire_for_call(self, purpose: str) -> LeaseRef:
        """Take the lease for the length of one call, which holds the call lock already."""
        lease, _ = self._take(CALL_HOLDER, purpose, LONGEST_TTL_SECONDS, is_call=True)
        return LeaseRef(CALL_HOLDER, lease.fence)

    def _take(self, holder: str, purpose: str, ttl_seconds: int, *, is_call: bool) -> tuple[Lease, Lease | None]:
        """Take the lease unless a live holder has it."""
        with locked(self._lock, self._clock, wait_seconds=LOCK_WAIT_SECONDS):
            old = self.current()
            if old and self._is_held(old, is_caller_at_work=is_call):
                raise self._held(old)
            lease = Lease(
                holder=holder,
                purpose=purpose,
                since=self._clock.now(),
                renewed=self._clock.monotonic(),
                boot_id=self._clock.boot_id(),
                ttl_seconds=ttl_seconds,
                fence=(old.fence if old else 0) + 1,
                is_call=is_call,
            )
            write_json(self._path, dataclasses.asdict(lease))
            return lease, old if old and old.holder and not old.is_call else None

    def renew(self, ref: LeaseRef) -> Lease:
        """Renew the heartbeat; raise `lease_lost` when the lease went to somebody else."""
        with locked(self._lock, self._clock, wait_seconds=LOCK_WAIT_SECONDS):
            old = self._mine(ref)
            lease = dataclasses.replace(old, renewed=self._clock.monotonic(), boot_id=self._clock.boot_id())
            write_json(self._path, dataclasses.asdict(lease))
            return lease

    def release(self, ref: LeaseRef) -> bool:
        """Give the lease back; return whether it was still held."""
        with locked(self._lock, self._clock, wait_seconds=LOCK_WAIT_SECONDS):
            old = self.current()
            if old is None or (old.holder, old.fence) != (ref.holder, ref.fence):
                return False
            write_json(self._path, dataclasses.asdict(dataclasses.replace(old, holder=None)))
            return True

    def refuse_if_held(self, ref: LeaseRef | None) -> None:
        """Raise at once when the caller may not change this host; changes nothing."""
        if ref is not None:
            self._mine(ref)
            return
        lease = self.current()
        if lease and not lease.is_call and lease.is_live(self._clock):
            raise self._held(lease)

    def refuse_if_over(self, ref: LeaseRef) -> None:
        """Raise `lease_lost` when the time of the caller's lease is over: its holder was not heard of meanwhile."""
        lease = self._mine(ref)
        if not lease.is_live(self._clock):
            raise HostctlError(
                "lease_lost",
                f"the lease {ref.fence} of {ref.holder} ran out while its call waited for its turn",
                lease=lease.public(self._clock),
            )

    def _is_held(self, lease: Lease, *, is_caller_at_work: bool) -> bool:
        """Return whether a lease keeps others out: while it is live, and while a call is at work, however long."""
        at_work = lease.holder is not None and not is_caller_at_work and self._is_call_at_work()
        return at_work or (not lease.is_call and lease.is_live(self._clock))

    def _is_call_at_work(self) -> bool:
        """Return whether a call is at work; what the host does by itself, it does for no holder of a lease."""
        return not is_free(self._call_lock) and is_free(self._own_work_lock)

    def _mine(self, ref: LeaseRef) -> Lease:
        """Return the lease if it is the caller's."""
        lease = self.current()
        if lease is None or (lease.holder, lease.fence) != (ref.holder, ref.fence):
            shown = lease.public(self._clock) if lease else None
            now = f"{lease.holder} holds it since {lease.since}" if lease and lease.holder else "nobody holds it now"
            raise HostctlError(
                "lease_lost", f"{ref.holder} lost the lease {ref.fence} of this host: {now}", lease=shown
            )
        return lease

    def _held(self, lease: Lease) -> HostctlError:
        """Return the error that says who holds the lease."""
        return HostctlError(
            "lease_held",
            f"{lease.holder} holds this host since {lease.since} for: {lease.purpose}",
            lease=lease.public(self._clock),
        )
