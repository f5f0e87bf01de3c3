"""`status`: the whole truth about this host, read from state, Docker and the live edge."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from .. import fleet
from ..drift.find import find_drift
from ..errors import HostctlError
from ..serving import public_stats, service_rows
from ..supervise import act_if_due, is_unfinished, see_watched
from ..version import version

if TYPE_CHECKING:
    from ..engine import Container
    from ..fields import Fields
    from ..host import Host
    from ..state import State


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Finish what a dead call or a reboot left, if nobody else is at work; then tell."""
    fields.done()
    if host.paths.state.exists():
        _finish(host)
    state = host.state
    projects = host.engine.projects("acp-")
    stats = public_stats(host)
    services, serving = service_rows(stats)
    return {
        "stack": host.edge.settings.stack if host.edge.is_set_up else None,
        "hostctl": version(),
        "serving": next(iter(serving)) if len(serving) == 1 else None,
        "mixed": len(serving) > 1,
        "current": state.current,
        "candidate": state.trial.release if state.trial else None,
        "previous": state.previous,
        "retiring": state.retiring.release if state.retiring else None,
        "phase": _phase(state),
        "weight": state.trial.weight if state.trial else 0,
        "deadline_seconds": round(state.trial.deadline - host.clock.monotonic(), 1) if state.trial else None,
        "parked": list(state.parked),
        "pinned": list(state.pinned),
        "lease": host.leases.shown(),
        "last_trial": state.last_trial,
        "anchor": state.anchor,
        "edge": _edge(host, projects.get("acp-edge", [])),
        "services": services,
        "releases": _releases(host, state, projects),
        "core": [container.summary() for container in projects.get("acp-core", [])],
        "drift": [difference.to_json() for difference in find_drift(host, state, projects, serving)],
    }


def _finish(host: Host) -> None:
    """Do what is due if nobody else is at work, and see to it that a trial is watched; a status never fails for it."""
    with contextlib.suppress(HostctlError):
        if not is_unfinished(host, host.state):
            return
        act_if_due(host, wait_seconds=0)
    see_watched(host)


def _phase(state: State) -> str:
    """Return the phase in one word."""
    if state.trial:
        return state.trial.phase
    return "committed" if state.retiring else "idle"


def _edge(host: Host, containers: list[Container]) -> dict[str, Any]:
    """Return how the edge is."""
    try:
        name: str | None = host.edge.container()
    except HostctlError:
        name = None
    image = next((container.image for container in containers if container.name == name), None)
    return {"running": name is not None, "container": name, "image": image, "routes": host.edge.routes_in_use()}


def _releases(host: Host, state: State, projects: dict[str, list[Container]]) -> dict[str, list[dict[str, Any]]]:
    """Return the containers of every known release."""
    found = {}
    for release in sorted(state.known):
        with contextlib.suppress(HostctlError):
            spec = fleet.load_spec(host, release)
            found[release] = [container.summary() for container in projects.get(spec.project, [])]
    return found
