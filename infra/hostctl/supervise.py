"""When a trial must end without being asked, and what is done then: by the watchdog, or by the next call that comes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Callable

from . import rollback, trial
from .converge import expiry, sickness
from .errors import HostctlError
from .lock import is_free, locked
from .state import REVERTING, STARTING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .host import Host
    from .state import State, Trial

RETIRING_SECONDS = 60.0
MARK_SECONDS = 1.0


def act_if_due(host: Host, *, wait_seconds: float, on_act: Callable[[], None] = lambda: None) -> None:
    """Do what is due, if anything is, as the only call at work; `on_act` is called before it is done."""
    if due(host, host.state):
        with locked(host.paths.lock, host.clock, wait_seconds=wait_seconds), _marked(host):
            on_act()
            _act(host)


def is_unfinished(host: Host, state: State) -> bool:
    """Return whether something is still to be ended: a trial, an old release, or routes of a trial that is over."""
    return state.trial is not None or state.retiring is not None or host.edge.routes_in_use() == "trial"


def see_watched(host: Host) -> None:
    """Start a watchdog where none is at work: one may have been killed."""
    if is_free(host.paths.watchdog_lock):
        host.spawn_watchdog()


def due(host: Host, state: State) -> str | None:
    """Return why something must be done now, or None."""
    if state.trial is not None:
        return _trial_due(host, state, state.trial)
    if not is_free(host.paths.lock):
        return None
    if _is_overdue(host, state):
        return "nobody parked the old release"
    if state.retiring is None and is_unfinished(host, state):
        return "the routes of a trial that is over are in use"
    return None


@contextlib.contextmanager
def _marked(host: Host) -> Iterator[None]:
    """Show that the host acts by itself, where a full disk takes that: nobody is kept out in a dead caller's name."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(HostctlError):
            stack.enter_context(locked(host.paths.own_work_lock, host.clock, wait_seconds=MARK_SECONDS))
        yield


def _trial_due(host: Host, state: State, current: Trial) -> str | None:
    """Return why the trial must end, or None while a call is at work on it in time."""
    is_idle = is_free(host.paths.lock)
    if _needs_a_call(current):
        return _cut_off(current) if is_idle else None
    return expiry(host, current) or (sickness(host, state) if is_idle else None)


def _needs_a_call(current: Trial) -> bool:
    """Return whether a trial is only this far while a call is at work on it."""
    return current.phase in {STARTING, REVERTING} or current.is_return


def _cut_off(current: Trial) -> str:
    """Return the reason for what ends because its call did."""
    return f"a call ended in phase {current.phase}"


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
    if state.trial is not None:
        _end_trial(host, state, state.trial)
    elif state.retiring is None:
        trial.restore_committed(host)
    elif _is_overdue(host, state):
        trial.drain(host, state.retiring)
        trial.park(host, state.retiring)


def _end_trial(host: Host, state: State, current: Trial) -> None:
    """End a trial that nobody ends: finish a way back, revert any other."""
    if current.is_return:
        rollback.finish(host, state, current)
        return
    reason = _cut_off(current) if _needs_a_call(current) else expiry(host, current) or sickness(host, state)
    if reason:
        host.make_room()
        host.journal.note("watchdog", "reverting", release=current.release, reason=reason)
        trial.revert(host, reason)
