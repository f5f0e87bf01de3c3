"""The public ports of a stack against those that the hosts of an inventory have, judged on raw values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


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
