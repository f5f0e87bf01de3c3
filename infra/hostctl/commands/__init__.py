"""The commands by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from . import (
    activate,
    audit,
    core,
    counters,
    edge,
    hello,
    install,
    journal,
    lease,
    logs,
    phases,
    pin,
    preflight,
    prune,
    ready,
    repair,
    resources,
    revert,
    start,
    status,
    stop,
    uninstall,
)

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


@dataclass(frozen=True)
class Command:
    """One command; a set-up command is not for the deploy key."""

    run: Callable[[Host, Fields], dict[str, Any]]
    is_setup: bool = False


COMMANDS = {
    "install": Command(install.run, is_setup=True),
    "uninstall": Command(uninstall.run, is_setup=True),
    "edge": Command(edge.run, is_setup=True),
    "core": Command(core.run, is_setup=True),
    "hello": Command(hello.run),
    "lease": Command(lease.run),
    "preflight": Command(preflight.run),
    "start": Command(start.run),
    "activate": Command(activate.run),
    "ready": Command(ready.run),
    "shift": Command(phases.shift),
    "cutover": Command(phases.cutover),
    "renew": Command(phases.renew),
    "commit": Command(phases.commit),
    "drain": Command(phases.drain),
    "park": Command(phases.park),
    "revert": Command(revert.run),
    "status": Command(status.run),
    "counters": Command(counters.run),
    "logs": Command(logs.run),
    "resources": Command(resources.run),
    "journal": Command(journal.run),
    "audit": Command(audit.run),
    "stop": Command(stop.run),
    "prune": Command(prune.run),
    "pin": Command(pin.run),
    "repair": Command(repair.run),
}
