"""`repair`: put right by the state what was changed by hand, or broke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..converge import converge
from ..drift.find import find_drift
from ..images import read_registry
from ..lease import read_lease
from ..repair import repair
from ..serving import public_stats, service_rows

if TYPE_CHECKING:
    from ..drift.difference import Difference
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Converge, then mend; say what was found and what is left."""
    secrets = fields.mapping("secrets", optional=True)
    login, lease = read_registry(fields), read_lease(fields)
    fields.done()
    with host.changing("repair", lease):
        found = _drift(host)
        converge(host, finish_retiring=True)
        repair(host, secrets, login)
        left = _drift(host)
    return {
        "serving": host.state.current,
        "found": [difference.to_json() for difference in found],
        "left": [difference.to_json() for difference in left],
    }


def _drift(host: Host) -> list[Difference]:
    """Return the host's drift now."""
    _, serving = service_rows(public_stats(host))
    return find_drift(host, host.state, host.engine.projects("acp-"), serving)
