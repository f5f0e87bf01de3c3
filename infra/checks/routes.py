"""The public routes of a stack, as requests that are safe to repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.checks.prober import ProbeRequest
from infra.checks.target import public_targets, web_services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.settings.model import Host, Settings

UNKNOWN_PAGE = "certificate-probe"
"""Asked below a prefix that does not have the probe's path: the service's own "not found" is an answer too."""


def route_requests(settings: Settings) -> list[ProbeRequest]:
    """Return one request for every public route of every host: each service's port, each prefix of the shared one."""
    path = settings.certificate.path
    own_ports = [
        ProbeRequest(
            name=target.name,
            method="GET",
            url=target.base_url + path,
            headers=target.request_headers,
            server_name=target.server_name,
        )
        for target in public_targets(settings, release=None)
    ]
    return [*own_ports, *(request for host in settings.hosts for request in _shared(settings, host, path))]


def _shared(settings: Settings, host: Host, path: str) -> Iterator[ProbeRequest]:
    """Yield one request per path prefix on the shared port of a host."""
    tls = settings.edge.tls
    port = settings.edge.https_port if tls else settings.edge.http_port
    for service in web_services(settings).values():
        for prefix in service.routes.path_prefixes if service.routes else ():
            asked = path if prefix == "/" else f"{prefix.rstrip('/')}/{UNKNOWN_PAGE}"
            yield ProbeRequest(
                name=f"{prefix} on {host.name}",
                method="GET",
                url=f"{'https' if tls else 'http'}://{host.reach(port)}{asked}",
                headers={"Host": tls.server_name} if tls else {},
                server_name=tls.server_name if tls else None,
            )
