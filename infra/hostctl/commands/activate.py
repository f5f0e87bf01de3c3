"""`activate`: a warm start of a parked release, from its kept containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import fleet
from ..clearance import read_clearance, require_clearance
from ..converge import converge
from ..errors import HostctlError
from ..files import read_json
from ..launch import Timer, is_serving, launch_kept, outcome, read_confirm_seconds, take_up
from ..lease import read_lease
from ..preflight import check_release
from ..resources import require
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Start the kept containers and put them on trial."""
    release = fields.text("release", pattern=RELEASE, hint=RELEASE_HINT)
    confirm_seconds, lease, clearance = read_confirm_seconds(fields), read_lease(fields), read_clearance(fields)
    fields.done()
    require_clearance(host, clearance, read_json(host.paths.release(release)) or {"release": release})
    with host.changing(f"activate {release}", lease):
        converge(host, keep=release, finish_retiring=True)
        spec = fleet.load_spec(host, release)
        timer = Timer(host.clock)
        if not is_serving(host, release) and not fleet.has_all(host, spec):
            raise HostctlError("no_parked_release", f"the containers of {release} are not kept on this host")
        changed = take_up(host, spec, timer, lambda _: fleet.start(host, spec))
        if changed is not None:
            return outcome(host, spec, timer, changed=changed)
        require(check_release(host, spec, 0))
        launch_kept(host, spec, timer, confirm_seconds, workers_later=True)
        return outcome(host, spec, timer, changed=True)
