"""Who gets a busy processor first: edge and data services, then what serves, then what starts up and manages the host.

A share that somebody chose in a compose file stays. See docs/adr/0017-what-serves-comes-first.md.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from . import fleet
from .edge.container import PROJECT as EDGE_PROJECT
from .errors import HostctlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .host import Host

FIRST_SHARES = 16384
SERVING_SHARES = 4096
LAST_SHARES = 256
"""Docker's default is 1024. A share that was given cannot be taken back, only replaced.

Control groups of version 2 have weights instead, 100 by default. Of these shares runc made 625, 157 and 10, since 1.3.2
it makes 942, 302 and 35: in either case the middle one is more than the default.
Source: https://github.com/opencontainers/runc/issues/4896
"""
OVERLOADED = 2.0
"""Processes per processor, over a minute, from which on nobody comes to his turn in time."""


def put_services_first(host: Host) -> None:
    """Put the edge and the data services before everything else."""
    for project in (EDGE_PROJECT, *host.paths.service_projects):
        with _if_possible():
            containers = host.engine.containers(project)
            _share(host, FIRST_SHARES, [item.name for item in containers if not item.cpu_shares])


def put_serving(host: Host, *releases: str | None) -> None:
    """Put releases before what starts up, both of a trial as equals."""
    for release in filter(None, releases):
        _share_release(host, release, SERVING_SHARES)


def make_way(host: Host, release: str | None) -> None:
    """Put a release behind the one that comes to replace it, where the processors are overloaded: it may be why."""
    if release is not None and os.getloadavg()[0] > OVERLOADED * (os.cpu_count() or 1):
        _share_release(host, release, LAST_SHARES)


def _share_release(host: Host, release: str, shares: int) -> None:
    """Give the containers of a release a share, but those whose share its compose file has chosen."""
    with _if_possible():
        spec = fleet.load_spec(host, release)
        chosen = {name for name, service in spec.compose["services"].items() if "cpu_shares" in service}
        others = [item for item in fleet.containers(host, spec) if item.service not in chosen]
        _share(host, shares, [item.name for item in others if item.cpu_shares != shares])


def _share(host: Host, shares: int, names: Iterable[str]) -> None:
    """Give containers a share, side by side."""
    fleet.each(lambda name: host.engine.set_cpu_shares(name, shares), names)


@contextlib.contextmanager
def _if_possible() -> Iterator[None]:
    """Go on where Docker refuses, as a rootless engine may: a host serves as well without."""
    with contextlib.suppress(HostctlError):
        yield
