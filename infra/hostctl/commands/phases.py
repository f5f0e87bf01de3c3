"""`shift`, `cutover`, `renew`, `commit`, `drain`, `park`: the phases of a rollout after the candidate is ready."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import trial
from ..converge import converge
from ..launch import is_serving
from ..lease import LeaseRef, read_lease
from ..spec import RELEASE, RELEASE_HINT
from ..state import CUTOVER, READY, SHIFT, Trial
from ..supervise import see_watched

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host

SHA256 = r"[0-9a-f]{64}"
RUN_ID = r"[\w.:-]{1,120}"
MOVABLE = (READY, SHIFT, CUTOVER)


def shift(host: Host, fields: Fields) -> dict[str, Any]:
    """Give the candidate a share of the requests."""
    weight = fields.integer("weight", least=0, most=trial.FULL)
    return _move(host, fields, "shift", weight)


def cutover(host: Host, fields: Fields) -> dict[str, Any]:
    """Give the candidate all requests."""
    return _move(host, fields, "cutover", trial.FULL)


def renew(host: Host, fields: Fields) -> dict[str, Any]:
    """Say that the driver is still at work."""
    release, lease = _read(fields)
    with host.changing(f"renew {release}", lease, look=partial(trial.refuse_over, host, release)):
        converge(host, keep=release)
        if is_serving(host, release):
            return _committed(release)
        renewed = trial.renew(host, trial.require(host, release, MOVABLE))
        see_watched(host)
        return _shown(host, renewed)


def commit(host: Host, fields: Fields) -> dict[str, Any]:
    """Make the candidate the release that a restart restores."""
    anchor = _read_anchor(fields)
    release, lease = _read(fields)
    with host.changing(f"commit {release}", lease, look=partial(trial.refuse_over, host, release)):
        state = host.state
        if state.current != release or state.trial is not None:
            converge(host, keep=release)
            state = trial.commit(host, trial.require(host, release, (CUTOVER,)), anchor)
        journal = dataclasses.asdict(host.journal.position())
        return {"release": release, "phase": "committed", "previous": state.previous, "journal": journal}


def drain(host: Host, fields: Fields) -> dict[str, Any]:
    """Let the old release finish what it has."""
    release, lease = _read(fields)
    with host.changing(f"drain for {release}", lease):
        began = host.clock.monotonic()
        retiring = host.state.retiring
        cut = trial.drain(host, retiring) if retiring else []
        return {
            "release": release,
            "drained": retiring.release if retiring else None,
            "seconds": round(host.clock.monotonic() - began, 3),
            "cut": [dataclasses.asdict(left) for left in cut],
        }


def park(host: Host, fields: Fields) -> dict[str, Any]:
    """Stop the old release and keep it."""
    release, lease = _read(fields)
    with host.changing(f"park for {release}", lease):
        state = host.state
        retiring = state.retiring
        if retiring:
            trial.park(host, retiring)
        elif state.trial is None:
            trial.restore_committed(host)
        return {"release": release, "parked": retiring.release if retiring else None}


def _move(host: Host, fields: Fields, phase: str, weight: int) -> dict[str, Any]:
    """Move traffic to the candidate."""
    release, lease = _read(fields)
    with host.changing(f"{phase} {release}", lease, look=partial(trial.refuse_over, host, release)):
        converge(host, keep=release)
        if is_serving(host, release):
            return {**_committed(release), "seconds": 0.0}
        current = trial.require(host, release, MOVABLE)
        began = host.clock.monotonic()
        with host.journal.step(phase, "weights", release=release, weight=weight):
            moved = trial.move(host, current, weight)
        if weight == trial.FULL:
            moved = trial.start_workers(host, moved)
        return {**_shown(host, moved), "seconds": round(host.clock.monotonic() - began, 3)}


def _read_anchor(fields: Fields) -> dict[str, Any] | None:
    """Read the head of the audit chain that a release is committed under, if there is one."""
    inner = fields.object("anchor", optional=True)
    if inner is None:
        return None
    anchor = {
        "count": inner.integer("count"),
        "head": inner.text("head", None, pattern=SHA256),
        "intent": inner.text("intent", pattern=SHA256),
        "run_id": inner.text("run_id", pattern=RUN_ID),
    }
    inner.close()
    return anchor


def _read(fields: Fields) -> tuple[str, LeaseRef | None]:
    """Read what all phases have."""
    release = fields.text("release", pattern=RELEASE, hint=RELEASE_HINT)
    lease = read_lease(fields)
    fields.done()
    return release, lease


def _committed(release: str) -> dict[str, Any]:
    """Return what a call about a release gets that has been committed already."""
    return {"release": release, "phase": "committed", "weight": trial.FULL, "deadline_seconds": None}


def _shown(host: Host, current: Trial) -> dict[str, Any]:
    """Return a trial as results show it."""
    return {
        "release": current.release,
        "phase": current.phase,
        "weight": current.weight,
        "deadline_seconds": round(current.deadline - host.clock.monotonic(), 1),
    }
