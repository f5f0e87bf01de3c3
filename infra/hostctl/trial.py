"""A candidate's trial: begun, moved, committed or reverted; the next call goes on from wherever one ended."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from . import fleet
from .drain import Left, wait_drained
from .edge.routing import committed_routing, trial_routing
from .errors import HostctlError
from .precedence import make_way, put_services_first, put_serving
from .state import ANSWERING, CUTOVER, READY, REVERTING, SHIFT, STARTED, STARTING, Retiring, State, Trial

if TYPE_CHECKING:
    from collections.abc import Collection

    from .edge.routing import Routing
    from .host import Host
    from .spec import ReleaseSpec

FULL = 100
DEFAULT_CONFIRM_SECONDS = 120.0
CANDIDATE_DRAIN_SECONDS = 300.0
"""The longest that a revert lets a candidate finish what users asked of it: its caller waits for the end."""
UNUSED_DRAIN_SECONDS = 30.0
"""The same for one that no user has asked."""
WARM_INTERVAL_SECONDS = 0.05


def begin(host: Host, spec: ReleaseSpec, *, confirm_timeout_seconds: float, return_reason: str = "") -> Trial:
    """Write down that a candidate is being started, before anything of it exists; `return_reason`: see `Trial`."""
    state = host.state
    is_resumed = state.trial is not None and state.trial.release == spec.release and state.trial.was_parked
    # One that is to be parked still runs: from here on its trial alone says what becomes of it.
    retiring = None if state.retiring is not None and state.retiring.release == spec.release else state.retiring
    trial = Trial(
        release=spec.release,
        phase=STARTING,
        weight=0,
        was_parked=is_resumed or retiring is not state.retiring or spec.release in state.parked,
        deadline=host.clock.monotonic() + confirm_timeout_seconds,
        boot_id=host.clock.boot_id(),
        confirm_timeout_seconds=confirm_timeout_seconds,
        started_at=host.clock.now(),
        return_reason=return_reason,
    )
    left = tuple(release for release in state.left if release != spec.release)
    host.store.save(state.with_(trial=trial, retiring=retiring, left=left).unpark(spec.release))
    host.spawn_watchdog()
    if trial.was_parked:
        make_way(host, state.current)
    return trial


def leave_started(host: Host) -> Trial:
    """Leave a candidate whose containers run to the next call, which has the trial's whole time to come."""
    return _in_phase(host, STARTED)


def resume(host: Host, trial: Trial) -> Trial:
    """Take up a candidate that was left on its way.

    Where it was only started, a call that ends from here on is undone at once, as in any start.
    """
    return _in_phase(host, STARTING) if trial.phase == STARTED else renew(host, trial)


def prepare(host: Host, spec: ReleaseSpec) -> None:
    """Write the trial routes while the candidate starts up; what goes wrong shows when they are loaded."""
    if _is_routed(host):
        return
    with contextlib.suppress(HostctlError):
        host.edge.write_trial(_without_traffic(host, spec))


def settle(host: Host, spec: ReleaseSpec, phase: str, *, waits_for_workers: bool) -> Trial:
    """Put a candidate that answers into the trial routes without traffic, and into `phase`, with its whole time ahead.

    One that is answering has been put there before.
    """
    state = host.state
    assert state.trial is not None  # noqa: S101 - begun by the same call
    if phase == READY and not state.trial.was_parked:  # a kept one has its place from before
        put_serving(host, state.current, spec.release)
    if not _is_routed(host):
        host.edge.load_trial(_without_traffic(host, spec))
    settled = dataclasses.replace(
        _renewed(host, state.trial), phase=phase, weight=0, waits_for_workers=waits_for_workers
    )
    return _save_trial(host, state, settled)


def require(host: Host, release: str, phases: tuple[str, ...]) -> Trial:
    """Return the trial of `release` if it is in one of `phases`; raise `trial_over` or `wrong_phase`."""
    state = host.state
    trial = state.trial
    if trial is not None and trial.release == release and trial.phase in phases:
        return trial
    last = state.last_trial or {}
    if (
        trial is None
        and last.get("release") == release
        and last.get("outcome") == "reverted"
        and state.current != release
    ):
        raise _over(release, "has reverted", last.get("reason"), last.get("at"))
    now = f"{trial.release} is in phase {trial.phase}" if trial else f"no trial, {state.current or 'nothing'} serves"
    raise HostctlError("wrong_phase", f"{release} is not on trial in a phase {'/'.join(phases)}: {now}")


def refuse_over(host: Host, release: str) -> None:
    """Raise `trial_over` when `release` is being reverted just now: the reason is known, and the end takes its time."""
    trial = host.state.trial
    if trial is not None and trial.release == release and trial.phase == REVERTING:
        raise _over(release, "reverts", trial.reason, None)


def move(host: Host, trial: Trial, weight: int) -> Trial:
    """Give the candidate `weight` percent of the requests."""
    state = host.state
    current, candidate = fleet.find_spec(host, state.current), fleet.load_spec(host, trial.release)
    phase = CUTOVER if weight == FULL else SHIFT
    moved = dataclasses.replace(_renewed(host, trial), phase=phase, weight=weight)
    _save_trial(host, state, moved)
    host.edge.set_weights(trial_routing(current, candidate, weight))
    return moved


def start_workers(host: Host, trial: Trial) -> Trial:
    """Start the workers that waited until requests were served again, unless that is done."""
    if not trial.waits_for_workers:
        return trial
    candidate = fleet.load_spec(host, trial.release)
    with host.journal.step("cutover", "workers", release=trial.release):
        fleet.start_services(host, candidate, candidate.workers)
        workers = dataclasses.replace(candidate, services=candidate.workers)
        host.prober().wait(workers, fastest_seconds=WARM_INTERVAL_SECONDS)
        return _save_trial(host, host.state, dataclasses.replace(trial, waits_for_workers=False))


def renew(host: Host, trial: Trial) -> Trial:
    """Set the deadline anew."""
    return _save_trial(host, host.state, _renewed(host, trial))


def commit(host: Host, trial: Trial, anchor: dict[str, Any] | None = None) -> State:
    """Make the candidate the release that a restart restores; the state file is what decides.

    `anchor` is the head of the stack's audit chain, kept here where nobody who writes to the stack's backend can.
    A first release has no drain to come, with which the committed routes are loaded otherwise.
    """
    start_workers(host, trial)
    state = host.state
    if anchor is not None:
        host.journal.note("commit", "anchor", release=trial.release, anchor=anchor)
    candidate = fleet.load_spec(host, trial.release)
    with host.journal.step("commit", "restart_policy", release=trial.release):
        fleet.keep_running(host, candidate, is_kept=True)
        fleet.keep_services_running(host)
        put_services_first(host)
        put_serving(host, trial.release)
    with host.journal.step("commit", "committed_routes", release=trial.release):
        host.edge.write_committed(committed_routing(candidate))
    with host.journal.step("commit", "state", release=trial.release):
        now = host.clock
        retiring = (
            Retiring(release=state.current, since=now.monotonic(), boot_id=now.boot_id()) if state.current else None
        )
        new = state.with_(
            current=trial.release,
            previous=None if trial.is_return else state.current,
            trial=None,
            retiring=retiring,
            last_trial=_outcome(host, trial, state.current),
            anchor=anchor or state.anchor,
        )
        host.store.save(new)
    if retiring is None:
        with contextlib.suppress(HostctlError), host.journal.step("commit", "routes", release=trial.release):
            restore_committed(host)
    return new


def drain(host: Host, retiring: Retiring) -> list[Left]:
    """Take the old release out of the edge, let its running requests finish, then its workers; return what was cut.

    The routes come first: those of the trial would send new requests to it for as long as the new release fails its
    checks. Services that have no requests left end beside the workers; both get the time to finish what they work on.
    """
    spec = fleet.load_spec(host, retiring.release)
    with host.journal.step("drain", "routes", release=spec.release):
        restore_committed(host)
    with host.journal.step("drain", "requests", release=spec.release):
        began = host.clock.monotonic()
        cut = wait_drained(host, spec)
        waited = host.clock.monotonic() - began
    with host.journal.step("drain", "workers", release=spec.release):
        fleet.keep_running(host, spec, is_kept=False)
        fleet.stop(host, spec, waited_seconds=waited)
    return cut


def park(host: Host, retiring: Retiring) -> None:
    """Stop what is left of the old release and keep its containers; `drain` comes before, but nobody has to call it."""
    spec = fleet.load_spec(host, retiring.release)
    with host.journal.step("park", "stop", release=spec.release):
        restore_committed(host)
        fleet.keep_running(host, spec, is_kept=False)
        fleet.stop(host, spec)
        put_serving(host, spec.release)  # for the next time: it may have made way
    with host.journal.step("park", "state", release=spec.release):
        host.store.save(host.state.with_(retiring=None).park(spec.release))


def restore_committed(host: Host) -> None:
    """Make the edge use the routes of the committed release, if it does not yet."""
    if not host.edge.is_set_up:
        return
    routing = committed_routing(fleet.find_spec(host, host.state.current))
    changed = host.edge.write_committed(routing)
    if changed or host.edge.routes_in_use() != "committed" or not host.edge.has_loaded(routing):
        host.edge.load_committed()


def revert(host: Host, reason: str, *, hanging: Collection[str] = ()) -> dict[str, Any]:
    """End the trial: traffic back at once, then the old release verified, then the candidate removed.

    Its services that are `hanging` get no time to finish what they work on.
    """
    state = host.state
    trial = state.trial
    assert trial is not None  # noqa: S101 - callers look
    host.make_room()
    began = host.clock.monotonic()
    reason = trial.reason or reason
    # A disk that is full even without the reserve must not keep the traffic on the candidate.
    with host.journal.step("revert", "intent", release=trial.release, reason=reason), contextlib.suppress(HostctlError):
        _save_trial(host, state, dataclasses.replace(trial, phase=REVERTING, reason=reason))
    candidate = fleet.find_started(host, trial.release)
    with host.journal.step("revert", "traffic", release=trial.release):
        if candidate is not None:
            _send_back(host, candidate)
    restored = host.clock.monotonic() - began
    trouble = trouble_of(host, trial, candidate) if candidate is not None else ""
    with host.journal.step("revert", "old_release", release=trial.release):
        problem = _heal_current(host, state.current)
    put_serving(host, state.current)
    with host.journal.step("revert", "routes", release=trial.release):
        if host.edge.is_set_up and host.edge.is_running():
            restore_committed(host)
    with host.journal.step("revert", "candidate", release=trial.release):
        is_gone = candidate is None or _put_away(host, candidate, trial, hanging)
    with host.journal.step("revert", "state", release=trial.release):
        after = host.state.with_(trial=None)
        if not trial.is_return:  # the release that was to be taken back is still the last one on trial
            after = after.with_(last_trial=_reverted(host, trial.release, reason))
        if not is_gone:
            after = after.with_(left=(*after.left, trial.release))
        host.store.save(after.park(trial.release) if trial.was_parked else after)
    if problem is not None:
        raise HostctlError(
            "old_release_not_serving",
            f"{trial.release} was reverted, but {problem.message}",
            reason=reason,
            **problem.details,
        )
    return {
        "serving": state.current,
        "trouble": trouble,
        "restore_seconds": round(restored, 3),
        "seconds": round(host.clock.monotonic() - began, 3),
    }


def remove_left(host: Host, release: str) -> None:
    """Remove what Docker would not when a candidate was reverted."""
    spec = fleet.find_started(host, release)
    if spec is not None:
        fleet.remove(host, spec)
        host.paths.release(release).unlink(missing_ok=True)
    state = host.state
    host.store.save(state.with_(left=tuple(other for other in state.left if other != release)))


def trouble_of(host: Host, trial: Trial, candidate: ReleaseSpec) -> str:
    """Return what became of a candidate's containers by itself, of those that were started; empty when all run."""
    return fleet.trouble(host, candidate, candidate.web_services if trial.waits_for_workers else candidate.services)


def _send_back(host: Host, candidate: ReleaseSpec) -> None:
    """Take all traffic off the candidate through the runtime API, where the trial routes are loaded."""
    if not host.edge.is_set_up or host.edge.routes_in_use() != "trial":
        return
    routing = _without_traffic(host, candidate)
    if host.edge.has_loaded(routing):
        host.edge.set_weights(routing)


def _heal_current(host: Host, current: str | None) -> HostctlError | None:
    """Make sure that the committed release runs and answers; return why it does not."""
    if current is None:
        return None
    spec = fleet.load_spec(host, current)
    try:
        if fleet.stopped(host, spec):
            fleet.start(host, spec)
        fleet.keep_running(host, spec, is_kept=True)
        host.prober().wait(spec, fastest_seconds=WARM_INTERVAL_SECONDS)
    except HostctlError as error:
        return error
    return None


def _is_routed(host: Host) -> bool:
    """Return whether a call before this one has put the candidate into the trial routes, which are still in use."""
    trial = host.state.trial
    return trial is not None and trial.phase == ANSWERING and host.edge.routes_in_use() == "trial"


def _without_traffic(host: Host, candidate: ReleaseSpec) -> Routing:
    """Return the trial routes while the candidate has no requests."""
    return trial_routing(fleet.find_spec(host, host.state.current), candidate, 0)


def _put_away(host: Host, candidate: ReleaseSpec, trial: Trial, hanging: Collection[str]) -> bool:
    """Let the candidate finish what it works on, then stop it, and remove it unless it was parked before.

    Return whether nothing is left of it that has to go.
    One that never had traffic works on nothing but what checks asked: that is not waited for. Services that do not
    answer are killed: the edge asks the release before, where it may, as soon as the connections are closed.
    """
    was_asked = trial.weight > 0 or trial.phase in {SHIFT, CUTOVER}
    fleet.kill(host, candidate, hanging)
    began = host.clock.monotonic()
    wait_drained(host, candidate, limit_seconds=CANDIDATE_DRAIN_SECONDS if was_asked else UNUSED_DRAIN_SECONDS)
    waited = host.clock.monotonic() - began
    fleet.keep_running(host, candidate, is_kept=False)
    fleet.stop(host, candidate, web_seconds=CANDIDATE_DRAIN_SECONDS if was_asked else 0.0, waited_seconds=waited)
    return trial.was_parked or _remove(host, candidate)


def _remove(host: Host, candidate: ReleaseSpec) -> bool:
    """Remove a candidate that is stopped; return whether Docker did: if not, that must not keep the host on trial."""
    try:
        fleet.remove(host, candidate)
    except HostctlError as error:
        if any(container.is_running for container in fleet.containers(host, candidate)):
            raise
        host.journal.note("revert", "left", release=candidate.release, code=error.code, error=error.message)
        return False
    host.paths.release(candidate.release).unlink(missing_ok=True)
    return True


def _outcome(host: Host, trial: Trial, current: str | None) -> dict[str, Any]:
    """Return what a commit says of the trial that it ends: of a way back, what became of the release taken back."""
    if trial.is_return and current is not None:
        return _reverted(host, current, trial.return_reason)
    at = host.clock.now()
    return {"release": trial.release, "outcome": "committed", "reason": "", "at": at, "warm": trial.was_parked}


def _reverted(host: Host, release: str, reason: str) -> dict[str, Any]:
    """Return what is kept of a release that was reverted."""
    return {"release": release, "outcome": "reverted", "reason": reason, "at": host.clock.now()}


def _over(release: str, what: str, reason: str | None, at: str | None) -> HostctlError:
    """Return the error that tells a caller that the host ends the trial without it."""
    return HostctlError("trial_over", f"the host {what} {release}: {reason}", reason=reason, at=at)


def _in_phase(host: Host, phase: str) -> Trial:
    """Put the trial into another phase, with its whole time ahead."""
    state = host.state
    assert state.trial is not None  # noqa: S101 - begun by this call or the one before
    return _save_trial(host, state, dataclasses.replace(_renewed(host, state.trial), phase=phase))


def _renewed(host: Host, trial: Trial) -> Trial:
    """Return the trial with its whole time ahead."""
    return dataclasses.replace(trial, deadline=host.clock.monotonic() + trial.confirm_timeout_seconds)


def _save_trial(host: Host, state: State, trial: Trial) -> Trial:
    """Write the trial down."""
    host.store.save(state.with_(trial=trial))
    return trial
