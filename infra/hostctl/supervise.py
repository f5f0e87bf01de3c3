"""When a trial must end without being asked, and what is done then: by the watchdog, or by the next call that comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import trial
from .converge import expiry, sickness
from .lock import is_free, locked
from .state import REVERTING, STARTING

if TYPE_CHECKING:
    from .host import Host
    from .state import State

RETIRING_SECONDS = 60.0


def act_if_due(host: Host, *, wait_seconds: float) -> None:
    """Do what is due, if anything is, as the only call at work."""
    if due(host, host.state):
        with locked(host.paths.lock, host.clock, wait_seconds=wait_seconds):
            _act(host)


def see_watched(host: Host) -> None:
    """Start a watchdog where none is at work: one may have been killed."""
    if is_free(host.paths.watchdog_lock):
        host.spawn_watchdog()


def due(host: Host, state: State) -> str | None:
    """Return why something must be done now, or None."""
    if state.trial is not None:
        return _trial_due(host, state)
    if _is_overdue(host, state) and is_free(host.paths.lock):
        return "nobody parked the old release"
    return None


def _trial_due(host: Host, state: State) -> str | None:
    """Return why the trial must end, or None while a call is at work on it in time."""
    current = state.trial
    if current is None:
        return None
    is_idle = is_free(host.paths.lock)
    if current.phase in {STARTING, REVERTING}:
        return f"a call ended in phase {current.phase}" if is_idle else None
    return _trial_reason(host, state, looks_deep=is_idle)


def _trial_reason(host: Host, state: State, *, looks_deep: bool = True) -> str | None:
    """Return why a trial whose candidate is up must end, or None; looking deep asks Docker and the edge."""
    current = state.trial
    if current is None:
        return None
    if current.phase in {STARTING, REVERTING}:
        return f"a call ended in phase {current.phase}"
    return expiry(host, current) or (sickness(host, state) if looks_deep else None)


def _is_overdue(host: Host, state: State) -> bool:
    """Return whether the old release waits too long for its parking, or for somebody who is gone."""
    retiring = state.retiring
    if retiring is None:
        return False
    is_late = host.clock.monotonic() - retiring.since > RETIRING_SECONDS
    return is_late or retiring.boot_id != host.clock.boot_id() or host.leases.is_forsaken()


def _act(host: Host) -> None:
    """Do what is due, looked at again now that no other call is at work."""
    host.journal.context = {"holder": "watchdog"}
    state = host.state
    reason = _trial_reason(host, state)
    if state.trial is not None and reason:
        host.make_room()
        host.journal.note("watchdog", "reverting", release=state.trial.release, reason=reason)
        trial.revert(host, reason)
    elif state.trial is None and state.retiring is not None and _is_overdue(host, state):
        trial.drain(host, state.retiring)
        trial.park(host, state.retiring)
