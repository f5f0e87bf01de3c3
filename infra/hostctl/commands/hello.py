"""`hello`: who answers here."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

from .. import PROTOCOL
from ..errors import HostctlError
from ..images import MACHINES
from ..version import version

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Return versions, architecture, user and time of the host."""
    fields.done()
    info = host.engine.info()
    machine = str(info.get("Architecture", ""))
    return {
        "hostctl": version(),
        "protocol": PROTOCOL,
        "docker": host.engine.version(),
        "compose": _compose_version(host),
        "architecture": MACHINES.get(machine, machine),
        "user": getpass.getuser(),
        "base_dir": str(host.paths.base),
        "time_unix_seconds": round(host.clock.unix(), 3),
    }


def _compose_version(host: Host) -> str | None:
    """Return compose's version, or None without it."""
    try:
        return host.compose.version()
    except HostctlError:
        return None
