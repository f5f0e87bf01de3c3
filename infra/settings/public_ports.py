"""The public ports of a stack against those that the hosts of an inventory have, judged on raw values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.settings.model import Service, Settings

LEAST_VERIFY_PORTS = 4
"""What every host was given when there were fewer web services: a new port needs a new edge."""
METRICS_PORT = 8404
"""The port of the edge's own metrics, inside its container."""


def verify_count(services: Iterable[Service], also: Iterable[Service] = ()) -> int:
    """Return how many loopback ports reach one release alone: one per web service, for candidate and for current."""
    most = max(sum(service.routes is not None for service in group) for group in (services, also))
    return max(LEAST_VERIFY_PORTS, 2 * most)


def clash_problems(settings: Settings) -> list[str]:
    """Return every two things of the edge that would listen on one port: HAProxy would not start."""
    edge = settings.edge
    last = edge.verify_base_port + verify_count(settings.services.values()) - 1
    own = f"edge.verify_base_port: {edge.verify_base_port} to {last} are for the edge itself"
    problems = []
    for path, port in _public(settings):
        if port == METRICS_PORT:
            problems.append(f"{path}: {port} is the port of the edge's metrics; choose another")
        elif edge.verify_base_port <= port <= last:
            problems.append(f"{own}, and {path} is {port}; choose another")
    if edge.verify_base_port <= METRICS_PORT <= last:
        problems.append(f"{own}, and its metrics are at {METRICS_PORT}; choose another")
    if edge.tls and edge.http_port == edge.https_port:
        problems.append(f"edge.https_port: {edge.https_port} is `edge.http_port` as well; choose another")
    return problems


def _public(settings: Settings) -> Iterator[tuple[str, int]]:
    """Yield every port that others reach, with its path."""
    yield "edge.http_port", settings.edge.http_port
    if settings.edge.tls:
        yield "edge.https_port", settings.edge.https_port
    for name, service in settings.services.items():
        if service.routes:
            yield f"services.{name}.routes.public_port", service.routes.public_port


def port_problems(values: Mapping[str, Any], public_ports: object) -> list[str]:
    """Return every port that the stack file names and nobody reaches; hosts that do not tell theirs have all."""
    if not isinstance(public_ports, list):
        return []
    services, edge = _mapping(values.get("services")), _mapping(values.get("edge"))
    named = {
        f"services.{name}.routes.public_port": _mapping(_mapping(service).get("routes")).get("public_port")
        for name, service in services.items()
    }
    named["edge.http_port"] = edge.get("http_port")
    if edge.get("tls"):
        named["edge.https_port"] = edge.get("https_port")
    known = ", ".join(map(str, public_ports))
    return [
        f"{path}: the inventory's hosts can be reached at {known} only (got {port:g}); name one of these"
        for path, port in named.items()
        if isinstance(port, int | float) and port not in public_ports
    ]


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
