"""`ready`: ask every replica of a release again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import fleet
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Wait for the passes of every container of a candidate or the current release."""
    release = fields.text("release", pattern=RELEASE, hint=RELEASE_HINT)
    fields.take("lease", None)
    fields.done()
    spec = fleet.load_spec(host, release)
    fleet.know_secrets(host, spec)
    passed = host.prober().wait(spec)
    return {
        "release": release,
        "containers": [{"name": item.container, "passes": item.passes, "seconds": item.seconds} for item in passed],
    }
