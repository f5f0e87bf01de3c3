"""What every changing call does first: finish or undo what a dead one left, so that exactly one release serves."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from . import fleet, rollback, trial
from .docker_socket import DockerError
from .drift.containers import EDGE_PROJECT, RELEASE_PREFIX
from .edge.apply import settle_edge
from .errors import HostctlError
from .state import REVERTING, STARTED, STARTING

if TYPE_CHECKING:
    from .host import Host
    from .state import State, Trial


def converge(host: Host, *, keep: str | None = None, finish_retiring: bool = False) -> None:
    """Bring the host to its state; the trial of `keep` goes on if it is whole, any other is reverted.

    A way back that a call left half-way is finished first, or reverted too where that fails.
    """
    state = host.state
    if state.trial is not None and state.trial.is_return:
        host.progress("converge", f"going back to {state.trial.release}: {state.trial.return_reason}")
        with contextlib.suppress(HostctlError):
            rollback.finish(host, state, state.trial)
        state = host.state
    if state.trial is not None:
        reason = trouble(host, state, keep)
        if reason:
            host.progress("converge", f"reverting {state.trial.release}: {reason}")
            host.journal.note("converge", "reverting", release=state.trial.release, reason=reason)
            trial.revert(host, reason)
            state = host.state
    if state.retiring is not None and finish_retiring:
        host.progress("converge", f"parking {state.retiring.release}")
        trial.drain(host, state.retiring)
        trial.park(host, state.retiring)
    _heal(host)
    if finish_retiring:
        _remove_left(host)
    if finish_retiring and host.state.trial is None:
        _stop_parked(host)


def trouble(host: Host, state: State, keep: str | None) -> str | None:
    """Return why the trial cannot go on for a caller that is about `keep`, or None."""
    current = state.trial
    if current is None:
        return None
    if current.phase == REVERTING:
        return current.reason or "a revert was interrupted"
    if current.release != keep:
        return f"another release was asked for while {current.release} was on trial"
    return expiry(host, current) or sickness(host, state)


def expiry(host: Host, current: Trial) -> str | None:
    """Return why a trial's time is over, or None; one that is being started has its own limits."""
    if current.boot_id != host.clock.boot_id():
        return "the host was rebooted during the trial"
    if current.phase == STARTED and host.leases.has_deployer():
        return None  # its deployer is heard of, and still waits for other hosts
    if current.phase not in {STARTING, REVERTING} and host.clock.monotonic() > current.deadline:
        return f"nobody confirmed within {current.confirm_timeout_seconds:g} seconds"
    return None


def sickness(host: Host, state: State) -> str | None:
    """Return what broke the candidate or its routes by itself, or None."""
    current = state.trial
    if current is None or current.phase in {STARTING, STARTED, REVERTING}:
        return None
    if host.edge.routes_in_use() == "committed":  # an edge that does not answer just now decides nothing
        return "the edge was restarted during the trial and is back on the committed routes"
    found = trial.trouble_of(host, current, fleet.load_spec(host, current.release))
    if found:
        return found
    if current.weight:
        return _taken_out(host, current.release)
    return None


def _taken_out(host: Host, release: str) -> str | None:
    """Return which service's candidates HAProxy has all taken out, or asks no more for what they failed."""
    by_service: dict[str, list[bool]] = {}
    for stat in host.edge.stats():
        if stat.release == release and stat.is_routed:
            by_service.setdefault(stat.service, []).append(stat.is_up)
    failures, most = host.edge.failures(by_service), host.edge.settings.max_failures
    dead = sorted(name for name, ups in by_service.items() if not any(ups) or failures.get(name, 0) >= most)
    return f"the edge took {', '.join(dead)} of {release} out: it failed too often" if dead else None


def _heal(host: Host) -> None:
    """Make the committed release and its routes what they should be, as far as that is possible now."""
    state = host.state
    spec = fleet.find_spec(host, state.current)
    if spec is not None:
        down = fleet.stopped(host, spec)
        if down:
            with (
                host.journal.step("converge", "start_current", release=spec.release, containers=down),
                contextlib.suppress(DockerError),
            ):
                fleet.start(host, spec)
        fleet.keep_running(host, spec, is_kept=True)
    if state.trial is None and state.retiring is None and host.edge.is_set_up and host.edge.is_running():
        with contextlib.suppress(HostctlError):
            settle_edge(host)
            trial.restore_committed(host)


def _remove_left(host: Host) -> None:
    """Try again to remove candidates whose containers Docker would not remove when they were reverted."""
    for release in host.state.left:
        with contextlib.suppress(HostctlError), host.journal.step("converge", "remove_left", release=release):
            trial.remove_left(host, release)


def _stop_parked(host: Host) -> None:
    """Stop parked releases that run, as a dead call or somebody by hand left them: their workers take tasks."""
    state = host.state
    with contextlib.suppress(HostctlError):
        current = fleet.find_spec(host, state.current)
        expected = {EDGE_PROJECT, *host.paths.service_projects, current.project if current else ""}
        running = host.engine.running_projects(RELEASE_PREFIX) - expected
        for release in state.parked if running else ():
            spec = fleet.find_started(host, release)
            if spec is not None and spec.project in running:
                host.progress("converge", f"stopping {release}: it is parked")
                with host.journal.step("converge", "stop_parked", release=release):
                    fleet.keep_running(host, spec, is_kept=False)
                    fleet.stop(host, spec)
