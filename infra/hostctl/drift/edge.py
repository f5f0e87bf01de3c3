"""Where the edge is not as the state says: its containers, files, and the routes that it uses."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .. import fleet
from ..edge.container import HOLDER
from ..edge.routing import committed_routing
from ..errors import HostctlError
from .difference import Difference

if TYPE_CHECKING:
    from ..host import Host
    from ..state import State
    from .containers import Projects


NOT_COMMITTED = (
    "committed.cfg of the edge is not what belongs to the committed release: it was edited by hand, or an older"
    " hostctl wrote it"
)


def edge_drift(host: Host, state: State, projects: Projects, serving: set[str]) -> list[Difference]:
    """Return how the edge differs."""
    if not host.edge.is_set_up:
        return []
    found = []
    if not host.engine.network_exists(host.edge.settings.network):
        found.append(
            Difference(
                f"the network {host.edge.settings.network} is missing",
                "`pulumi refresh --stack STACK`, then `pulumi up --stack STACK`: they make it again",
            )
        )
    if host.edge.files.unfinished():
        found.append(Difference("a set-up of the edge was cut off", "`pulumi up --stack STACK` with the setup key"))
    if not host.edge.is_running():
        return [*found, Difference("the edge does not run")]
    if state.trial is None and state.current and serving != {state.current}:
        shown = ", ".join(sorted(serving)) or "nothing"
        found.append(Difference(f"the edge serves {shown}, the committed release is {state.current}"))
    if state.trial is None and state.retiring is None:
        found += _route_drift(host, state)
    return found + _container_drift(host, projects)


def _route_drift(host: Host, state: State) -> list[Difference]:
    """Return where the routes, on disk or loaded, are other than those of the committed release."""
    found = []
    with contextlib.suppress(HostctlError):
        routing = committed_routing(fleet.find_spec(host, state.current))
        if not host.edge.has_loaded(routing):
            found.append(Difference("the edge has other routes than the committed ones"))
        if not host.edge.has_written(routing):
            found.append(Difference(NOT_COMMITTED))
    return found


def _container_drift(host: Host, projects: Projects) -> list[Difference]:
    """Return where another container serves than the one that should, or from another image."""
    saved = host.edge.files.load() or {}
    if not saved:
        return []
    serving = host.edge.container()
    found = []
    if saved["container"] != serving:
        found.append(Difference(f"{serving} serves in place of {saved['container']}"))
    for container in projects.get(HOLDER, []):
        image = saved["images"].get(container.name)
        if container.name in {HOLDER, saved["container"]} and image is not None:
            if container.image != image:
                found.append(
                    Difference(f"{container.name} was replaced by hand: it runs {container.image}, not {image}")
                )
            elif not container.is_running:
                found.append(Difference(f"{container.name} of the edge is {container.state}"))
    return found
