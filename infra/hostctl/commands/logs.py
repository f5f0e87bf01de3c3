"""`logs`: the last log lines of a release's containers, secrets masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import fleet
from ..spec import RELEASE, RELEASE_HINT, SERVICE

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host

MOST_LINES = 5000


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Return the lines by container."""
    release = fields.text("release", pattern=RELEASE, hint=RELEASE_HINT)
    name = fields.text("service", None, pattern=SERVICE)
    lines = fields.integer("lines", 100, least=1, most=MOST_LINES)
    fields.done()
    spec = fleet.load_spec(host, release)
    fleet.know_secrets(host, spec)
    chosen = []
    for container in fleet.containers(host, spec):
        service = spec.service_of(container.service)
        if not name or (service and service.name == name):
            chosen.append({"name": container.name, "lines": host.engine.log_tail(container.name, lines)})
    return {"release": release, "containers": chosen}
