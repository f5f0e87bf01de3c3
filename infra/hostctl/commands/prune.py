"""`prune`: forget the oldest parked releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import fleet
from ..converge import converge
from ..lease import read_lease
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host
    from ..spec import ReleaseSpec


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
        safe = {state.current, state.previous, *pinned}
        spare = [release for release in state.parked if release not in safe]
        room = max(0, keep - (len(state.parked) - len(spare)))
        chosen = spare[: max(0, len(spare) - room)]
        freed = sum(_forget(host, release) for release in chosen)
        if host.edge.is_set_up:
            host.edge.forget_counters(host.state.known)
        return {"removed": chosen, "kept": list(host.state.parked), "freed_images": freed}


def _forget(host: Host, release: str) -> int:
    """Remove one release; return how many images went."""
    spec = fleet.load_spec(host, release)
    with host.journal.step("prune", "remove", release=release):
        fleet.remove(host, spec)
        host.store.save(host.state.unpark(release))
        host.paths.release(release).unlink(missing_ok=True)
        return sum(host.engine.remove_image(image) for image in _unused(host, spec))


def _unused(host: Host, spec: ReleaseSpec) -> list[str]:
    """Return the images of a release that no other known release has."""
    used = {image for release in host.state.known for image in fleet.load_spec(host, release).images}
    return [image for image in spec.images if image not in used]
