"""`edge`: set the edge up, or change it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from .. import fleet
from ..converge import converge
from ..edge.apply import apply_edge
from ..edge.settings import read_settings
from ..images import read_registry
from ..lease import read_lease

if TYPE_CHECKING:
    from ..edge.settings import EdgeSettings
    from ..fields import Fields
    from ..host import Host
    from ..spec import ReleaseSpec


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Bring the edge to what is asked for; without a need nothing changes."""
    settings, pem, path = read_settings(fields)
    login, lease = read_registry(fields), read_lease(fields)
    fields.done()
    with host.changing("edge", lease):
        converge(host, finish_retiring=True)
        current = fleet.find_spec(host, host.state.current)
        settings = reaching(settings, current)
        applied = apply_edge(host, settings, login, current, pem=pem, certificate_file=path)
    return {**applied, "serving": host.state.current}


def reaching(settings: EdgeSettings, current: ReleaseSpec | None) -> EdgeSettings:
    """Return the settings with the ports by which the release that serves is reached until its successor does."""
    ports = {service.routes.public_port for service in current.web_services} if current else set()
    kept = tuple(sorted(port for port in ports if port and port not in settings.listening_ports))
    return dataclasses.replace(settings, public_ports=(*settings.public_ports, *kept)) if kept else settings
