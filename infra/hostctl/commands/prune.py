"""`prune`: forget the oldest parked releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..converge import converge
from ..lease import read_lease
from ..retention import beyond, forget
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Remove parked releases beyond `keep` with the images that nothing else uses."""
    keep = fields.integer("keep", 5, least=1, most=100)
    pinned = fields.texts("pinned", optional=True, pattern=RELEASE, hint=RELEASE_HINT)
    lease = read_lease(fields)
    fields.done()
    with host.changing("prune", lease):
        state = host.state
        if state.trial is None:
            converge(host, finish_retiring=True)
            state = host.state
        host.store.save(state.with_(pinned=pinned))
        chosen = beyond(host.state, keep)
        why = f"older than the {keep} that are kept"
        freed = sum(forget(host, release, why) for release in chosen)
        if host.edge.is_set_up:
            host.edge.forget_counters(host.state.known)
        return {"removed": chosen, "kept": list(host.state.parked), "freed_images": freed, "reason": why}
