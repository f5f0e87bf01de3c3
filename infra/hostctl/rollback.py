"""Return to the previous release after a commit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from . import fleet, trial
from .errors import HostctlError
from .launch import Timer, launch_kept
from .state import CUTOVER, READY, Trial

if TYPE_CHECKING:
    from .host import Host
    from .spec import ReleaseSpec
    from .state import State

GONE = frozenset({"no_parked_release", "unknown_release"})
"""Codes of a previous release that cannot be started any more."""


def return_to_previous(host: Host, release: str, previous: str, reason: str) -> dict[str, Any]:
    """Start the previous release if it is stopped, give it all requests, commit it, and park `release`.

    A way back that was cut off goes on. Workers that do not start do not keep the requests from the previous release:
    they are named at the end, as `old_release_not_serving`.
    """
    spec = fleet.load_spec(host, previous)
    if not fleet.has_all(host, spec):
        raise HostctlError(
            "no_parked_release", f"the containers of {previous} are not kept on this host", reason=reason
        )
    host.make_room()
    began = host.clock.monotonic()
    host.journal.note("revert", "after_commit", release=release, reason=reason, previous=previous)
    moved = trial.move(host, _bring_up(host, spec, reason), trial.FULL)
    restored = host.clock.monotonic() - began
    problem = _start_workers(host, moved)
    trial.commit(host, dataclasses.replace(moved, waits_for_workers=False))
    retiring = host.state.retiring
    if retiring is not None:
        trial.drain(host, retiring)
        trial.park(host, retiring)
    if problem is not None:
        raise HostctlError(
            "old_release_not_serving",
            f"{release} was taken back and {previous} has its requests, but {problem.message}",
            mend=f"look at the workers of {previous} now",
            reason=reason,
            **problem.details,
        )
    return {
        "serving": previous,
        "restore_seconds": round(restored, 3),
        "seconds": round(host.clock.monotonic() - began, 3),
    }


def finish(host: Host, state: State, current: Trial) -> None:
    """Finish the way back that `current` is; where the previous release is gone meanwhile, revert that trial."""
    try:
        return_to_previous(host, str(state.current), current.release, current.return_reason)
    except HostctlError as error:
        if error.code not in GONE or host.state.trial is None:
            raise
        trial.revert(host, error.message)


def _bring_up(host: Host, spec: ReleaseSpec, reason: str) -> Trial:
    """Return the trial of a previous release that can have all requests: that of an earlier call, if it is whole."""
    current = host.state.trial
    if current is None or not _is_whole(host, current, spec):
        timer, limit = Timer(host.clock), trial.DEFAULT_CONFIRM_SECONDS
        launch_kept(host, spec, timer, limit, workers_later=True, return_reason=reason)
        current = trial.require(host, spec.release, (READY,))
    return dataclasses.replace(current, return_reason=reason)


def _is_whole(host: Host, current: Trial, spec: ReleaseSpec) -> bool:
    """Return whether a trial is past its start, in the routes in use, and its containers run."""
    is_routed = current.phase in {READY, CUTOVER} and host.edge.routes_in_use() == "trial"
    return is_routed and not trial.trouble_of(host, current, spec)


def _start_workers(host: Host, moved: Trial) -> HostctlError | None:
    """Start the workers that waited for the requests; return why they do not run."""
    try:
        trial.start_workers(host, moved)
    except HostctlError as error:
        return error
    return None
