"""`edge`: set the edge up, or change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import fleet
from ..converge import converge
from ..edge.apply import apply_edge
from ..edge.settings import read_settings
from ..images import read_registry
from ..lease import read_lease

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Bring the edge to what is asked for; without a need nothing changes."""
    settings, pem, path = read_settings(fields)
    login, lease = read_registry(fields), read_lease(fields)
    fields.done()
    with host.changing("edge", lease):
        converge(host, finish_retiring=True)
        current = fleet.find_spec(host, host.state.current)
        applied = apply_edge(host, settings, login, current, pem=pem, certificate_file=path)
    return {**applied, "serving": host.state.current}
