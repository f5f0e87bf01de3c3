"""What the edge is set up for on a host."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..spec import IMAGE, IMAGE_HINT, MOST_PORT, STACK

if TYPE_CHECKING:
    from ..fields import Fields

NETWORK = r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"
ADDRESS = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
MOST_VERIFY = 32
METRICS_PORT = 8404


@dataclass(frozen=True)
class EdgeSettings:
    """Image, addresses and limits of the edge; nothing secret."""

    stack: str
    image: str
    network: str
    bind_address: str
    http_port: int | None
    https_port: int | None
    public_ports: tuple[int, ...]
    verify_base_port: int
    verify_count: int
    has_tls: bool
    redirect: bool
    hsts_seconds: int
    server_seconds: float
    client_seconds: float
    keep_alive_seconds: float
    max_failures: int

    @property
    def verify_ports(self) -> tuple[int, ...]:
        """Return the loopback ports that reach one release alone during a trial."""
        return tuple(range(self.verify_base_port, self.verify_base_port + self.verify_count))

    @property
    def shared_ports(self) -> tuple[int, ...]:
        """Return the ports that all services share by path."""
        return tuple(port for port in (self.http_port, self.https_port) if port)

    @property
    def listening_ports(self) -> tuple[int, ...]:
        """Return every port that others may reach."""
        return tuple(dict.fromkeys((*self.shared_ports, *self.public_ports)))

    def layout(self) -> dict[str, Any]:
        """Return what cannot change while the container that holds the ports goes on."""
        return {
            "network": self.network,
            "bind_address": self.bind_address,
            "ports": sorted(self.listening_ports),
            "verify_ports": list(self.verify_ports),
        }

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON."""
        return {**dataclasses.asdict(self), "public_ports": list(self.public_ports)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EdgeSettings:
        """Return settings from their JSON."""
        return cls(**{**value, "public_ports": tuple(value["public_ports"])})


def read_settings(fields: Fields) -> tuple[EdgeSettings, str | None, str | None]:
    """Read an `edge` request: the settings, and the certificate as PEM text or as a path on the host."""
    tls = fields.object("tls", optional=True)
    pem = path = None
    redirect, hsts = False, 0
    if tls is not None:
        pem = tls.text("certificate_pem", None) or None
        path = tls.text("certificate_file", None) or None
        redirect, hsts = tls.flag("redirect", default=True), tls.integer("hsts_seconds", 31536000)
        tls.close()
        if (pem is None) == (path is None):
            tls.problem("", "needs exactly one of certificate_pem and certificate_file")
    timeouts = fields.object("timeouts", optional=True)
    settings = EdgeSettings(
        stack=fields.text("stack", pattern=STACK),
        image=fields.text("image", pattern=IMAGE, hint=IMAGE_HINT),
        network=fields.text("network", pattern=NETWORK),
        bind_address=fields.text("bind_address", "0.0.0.0", pattern=ADDRESS),  # noqa: S104 - the public side of the host
        http_port=_port(fields, "http_port", 80),
        https_port=_port(fields, "https_port", None),
        public_ports=fields.integers("public_ports", optional=True, least=1, most=MOST_PORT),
        verify_base_port=fields.integer("verify_base_port", 18000, least=1024, most=MOST_PORT - MOST_VERIFY),
        verify_count=fields.integer("verify_count", 4, least=1, most=MOST_VERIFY),
        has_tls=tls is not None,
        redirect=redirect,
        hsts_seconds=hsts,
        server_seconds=timeouts.number("server_seconds", 300.0) if timeouts else 300.0,
        client_seconds=timeouts.number("client_seconds", 60.0) if timeouts else 60.0,
        keep_alive_seconds=timeouts.number("keep_alive_seconds", 10.0) if timeouts else 10.0,
        max_failures=fields.integer("max_failures", 5, least=1, most=1000),
    )
    if timeouts:
        timeouts.close()
    if settings.has_tls and settings.https_port is None:
        fields.problem("https_port", "is required with tls")
    clashes = set(settings.verify_ports) & set(settings.listening_ports)
    if clashes:
        fields.problem("verify_base_port", f"its range has public ports: {sorted(clashes)}")
    return settings, pem, path


def _port(fields: Fields, name: str, default: int | None) -> int | None:
    """Read an optional port; given as null it is absent."""
    return fields.integer(name, default, least=1, most=MOST_PORT) or None
