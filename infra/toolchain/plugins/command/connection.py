"""Where and how to connect: the `connection` input as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEFAULTS: dict[str, Any] = {"user": "root", "port": 22.0, "dialErrorLimit": 10.0, "perDialTimeout": 15.0}
UNLIMITED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One SSH server and the login for it; `dial_error_limit` -1 and `per_dial_timeout_seconds` 0 mean no limit."""

    host: str
    port: int
    user: str
    dial_error_limit: int
    per_dial_timeout_seconds: int
    host_key: str | None = None
    private_key: str | None = None
    private_key_password: str | None = None
    password: str | None = None
    agent_socket_path: str | None = None
    proxy: Connection | None = None


def with_defaults(connection: dict[str, Any]) -> dict[str, Any]:
    """Return the plain `connection` input with the defaults of it and of its proxy filled in."""
    filled = {**DEFAULTS, **{key: value for key, value in connection.items() if value is not None}}
    if isinstance(filled.get("proxy"), dict):
        filled["proxy"] = with_defaults(filled["proxy"])
    return filled


def parse_connection(connection: dict[str, Any]) -> Connection:
    """Return a plain `connection` input as values."""
    filled = with_defaults(connection)
    proxy = filled.get("proxy")
    return Connection(
        host=filled["host"],
        port=int(filled["port"]),
        user=filled["user"],
        dial_error_limit=int(filled["dialErrorLimit"]),
        per_dial_timeout_seconds=int(filled["perDialTimeout"]),
        host_key=filled.get("hostKey"),
        private_key=filled.get("privateKey"),
        private_key_password=filled.get("privateKeyPassword"),
        password=filled.get("password"),
        agent_socket_path=filled.get("agentSocketPath"),
        proxy=None if proxy is None else parse_connection(proxy),
    )
