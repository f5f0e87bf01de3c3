"""Whom checks ask: a service at an address, and the release that must answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings.model import Host, Service, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One web service as one address serves it; `release` None accepts any."""

    name: str
    service_name: str
    service: Service
    base_url: str
    release: str | None
    server_name: str | None = None
    host: str = ""

    @property
    def request_headers(self) -> dict[str, str]:
        """Return the headers that name the public host."""
        return {"Host": self.server_name} if self.server_name else {}

    @property
    def extensions(self) -> dict[str, str]:
        """Return the TLS server name, where the address is not the name."""
        return {"sni_hostname": self.server_name} if self.server_name else {}


def web_services(settings: Settings) -> dict[str, Service]:
    """Return the services that get traffic."""
    return {name: service for name, service in settings.services.items() if service.routes is not None}


def public_targets(settings: Settings, release: str | None) -> list[Target]:
    """Return every web service through the public port of every host."""
    tls = settings.edge.tls
    return [
        Target(
            name=f"{service_name} on {host.name}",
            service_name=service_name,
            service=service,
            base_url=f"{'https' if tls else 'http'}://{host.reach(service.routes.public_port)}",
            release=release,
            server_name=tls.server_name if tls else None,
            host=host.name,
        )
        for host in settings.hosts
        for service_name, service in web_services(settings).items()
        if service.routes is not None
    ]


def candidate_targets(settings: Settings, host: Host, local_ports: Mapping[str, int], release: str) -> list[Target]:
    """Return the candidate's web services on one host through forwarded loopback ports."""
    return [
        Target(
            name=f"candidate {service_name} on {host.name}",
            service_name=service_name,
            service=settings.services[service_name],
            base_url=f"http://127.0.0.1:{port}",
            release=release,
            host=host.name,
        )
        for service_name, port in local_ports.items()
    ]
