"""All drift of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .containers import release_drift, service_drift
from .edge import edge_drift

if TYPE_CHECKING:
    from ..host import Host
    from ..state import State
    from .containers import Projects
    from .difference import Difference


def find_drift(host: Host, state: State, projects: Projects, serving: set[str]) -> list[Difference]:
    """Return everything that is not as the state says, in the order in which it matters."""
    return [
        *edge_drift(host, state, projects, serving),
        *release_drift(host, state, projects),
        *service_drift(host, projects),
    ]
