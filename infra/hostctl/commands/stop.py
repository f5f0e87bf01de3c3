"""`stop`: end a candidate, or remove a parked release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import fleet, trial
from ..converge import converge
from ..errors import HostctlError
from ..lease import read_lease
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Stop a release that does not serve."""
    release = fields.text("release", pattern=RELEASE, hint=RELEASE_HINT)
    is_removed = fields.flag("remove", default=False)
    lease = read_lease(fields)
    fields.done()
    with host.changing(f"stop {release}", lease):
        converge(host, keep=release, finish_retiring=True)
        state = host.state
        if state.current == release:
            raise HostctlError(
                "wrong_phase", f"{release} serves: it is not stopped", mend="release or roll back to another one first"
            )
        stopped = release in state.known
        if state.trial is not None and state.trial.release == release:
            trial.revert(host, "stop was asked for")
        removed = is_removed and _remove(host, release)
        return {"release": release, "stopped": stopped, "removed": removed}


def _remove(host: Host, release: str) -> bool:
    """Remove a release's containers and its description."""
    if not host.paths.release(release).exists():
        return False
    spec = fleet.load_spec(host, release)
    with host.journal.step("stop", "remove", release=release):
        fleet.remove(host, spec)
        host.paths.release(release).unlink(missing_ok=True)
        state = host.state.unpark(release)
        host.store.save(state.with_(previous=None) if state.previous == release else state)
    return True
