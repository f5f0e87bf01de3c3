"""Return to the previous release after a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import fleet, trial
from .errors import HostctlError
from .launch import Timer, launch_kept

if TYPE_CHECKING:
    from .host import Host


def return_to_previous(host: Host, release: str, previous: str, reason: str) -> dict[str, Any]:
    """Start the previous release if it is stopped, give it all requests, commit it, and park `release`."""
    spec = fleet.load_spec(host, previous)
    if not fleet.has_all(host, spec):
        raise HostctlError(
            "no_parked_release", f"the containers of {previous} are not kept on this host", reason=reason
        )
    host.make_room()
    began = host.clock.monotonic()
    host.journal.note("revert", "after_commit", release=release, reason=reason, previous=previous)
    launch_kept(host, spec, Timer(host.clock), trial.DEFAULT_CONFIRM_SECONDS, workers_later=True)
    moved = trial.move(host, trial.require(host, previous, ("ready",)), trial.FULL)
    restored = host.clock.monotonic() - began
    trial.commit(host, moved)
    retiring = host.state.retiring
    if retiring is not None:
        trial.drain(host, retiring)
        trial.park(host, retiring)
    outcome = {"release": release, "outcome": "reverted", "reason": reason, "at": host.clock.now()}
    host.store.save(host.state.with_(last_trial=outcome, previous=None))
    return {
        "serving": previous,
        "restore_seconds": round(restored, 3),
        "seconds": round(host.clock.monotonic() - began, 3),
    }
