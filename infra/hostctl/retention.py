"""Which parked releases go, and why: beyond the number that is kept, or when the disk has no room for a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from . import fleet

if TYPE_CHECKING:
    from .host import Host
    from .spec import ReleaseSpec
    from .state import State


def spare(state: State, *, wanted: str | None = None) -> list[str]:
    """Return the parked releases that may go, the oldest first: never the previous, a pinned or the `wanted` one."""
    safe = {state.current, state.previous, wanted, *state.pinned}
    return [release for release in state.parked if release not in safe]


def beyond(state: State, keep: int) -> list[str]:
    """Return the parked releases beyond `keep`, those that may not go counted among the kept ones."""
    free = spare(state)
    room = max(0, keep - (len(state.parked) - len(free)))
    return free[: max(0, len(free) - room)]


def make_disk(host: Host, wanted: str, is_enough: Callable[[], bool]) -> list[str]:
    """Remove parked releases, the oldest first, until the `wanted` one has room or none is left to go; return them."""
    gone: list[str] = []
    while not is_enough():
        chosen = spare(host.state, wanted=wanted)[:1]
        if not chosen:
            break
        host.progress("start", f"the disk is short of room: removing the parked release {chosen[0]}")
        forget(host, chosen[0], "the disk was short of room")
        gone += chosen
    return gone


def forget(host: Host, release: str, why: str) -> int:
    """Remove one parked release with the images that nothing else uses; return how many images went."""
    spec = fleet.load_spec(host, release)
    with host.journal.step("prune", "remove", release=release, reason=why):
        fleet.remove(host, spec)
        host.store.save(host.state.unpark(release))
        host.paths.release(release).unlink(missing_ok=True)
        return sum(host.engine.remove_image(image) for image in _unused(host, spec))


def _unused(host: Host, spec: ReleaseSpec) -> list[str]:
    """Return the images of a release that no other known release has."""
    used = {image for release in host.state.known for image in fleet.load_spec(host, release).images}
    return [image for image in spec.images if image not in used]
