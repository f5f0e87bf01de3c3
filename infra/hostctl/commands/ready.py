"""`ready`: ask every replica of a release again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import fleet
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host
    from ..spec import ReleaseSpec

LONGEST_SECONDS = 3600.0


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Wait for the passes of every container of a candidate or the current release."""
    release = fields.text("release", pattern=RELEASE, hint=RELEASE_HINT)
    limit = fields.number("within_seconds", LONGEST_SECONDS, most=LONGEST_SECONDS)
    fields.take("lease", None)
    fields.done()
    spec = fleet.load_spec(host, release)
    fleet.know_secrets(host, spec)
    passed = host.prober().wait(_within(spec, limit))
    return {
        "release": release,
        "containers": [{"name": item.container, "passes": item.passes, "seconds": item.seconds} for item in passed],
    }


def _within(spec: ReleaseSpec, limit_seconds: float) -> ReleaseSpec:
    """Return the release with no more patience than `limit_seconds` for any container."""
    services = tuple(
        replace(
            service,
            readiness=service.readiness
            and replace(service.readiness, timeout_seconds=min(limit_seconds, service.readiness.timeout_seconds)),
        )
        for service in spec.services
    )
    return replace(spec, services=services)
