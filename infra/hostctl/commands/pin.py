"""`pin`: which parked releases are never removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lease import read_lease
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Keep the list; a release need not be here to be on it."""
    pinned = fields.texts("pinned", optional=True, pattern=RELEASE, hint=RELEASE_HINT)
    lease = read_lease(fields)
    fields.done()
    with host.changing("pin", lease):
        host.store.save(host.state.with_(pinned=pinned))
        return {"pinned": list(pinned)}
