"""`lease`: take, renew or give back the right to change this host."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ..errors import HostctlError
from ..lease import DEFAULT_TTL_SECONDS, LONGEST_TTL_SECONDS, SHORTEST_TTL_SECONDS, read_lease

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host

HOLDER = r"[\w@.:/+ -]{1,120}"
PURPOSE = r"[^\n]{1,300}"


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Do one of the three; never waits for a running call."""
    action = fields.text("action", pattern="acquire|renew|release", hint="must be acquire, renew or release")
    if action == "acquire":
        return _acquire(host, fields)
    ref = read_lease(fields)
    if ref is None:
        fields.problem("lease", "is required")
    fields.done()
    assert ref is not None  # noqa: S101 - done() raised otherwise
    if action == "release":
        return {"released": host.leases.release(ref)}
    return {"lease": host.leases.renew(ref).public(host.clock), "taken_over_from": None}


def _acquire(host: Host, fields: Fields) -> dict[str, Any]:
    """Take the lease."""
    holder = fields.text("holder", pattern=HOLDER)
    purpose = fields.text("purpose", pattern=PURPOSE)
    ttl_seconds = fields.integer(
        "ttl_seconds", DEFAULT_TTL_SECONDS, least=SHORTEST_TTL_SECONDS, most=LONGEST_TTL_SECONDS
    )
    fields.done()
    lease, old = host.leases.acquire(holder, purpose, ttl_seconds)
    with contextlib.suppress(HostctlError):  # a disk that is full is named by what needs room on it
        host.journal.note("lease", "acquired", holder=holder, fence=lease.fence, purpose=purpose)
    if old is not None:
        host.journal.note("lease", "taken_over", holder=holder, fence=lease.fence, other=old.holder)
    return {"lease": lease.public(host.clock), "taken_over_from": old.public(host.clock) if old else None}
