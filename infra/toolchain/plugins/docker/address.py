"""The provider's `host` as values, and the command line that reaches an engine over SSH."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from infra.toolchain.plugins.common.failure import PluginError

DEFAULT_HOST = "unix:///var/run/docker.sock"
DEFAULT_TCP_PORT = 2375
CONNECT_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an engine listens: `scheme` is `ssh`, `unix` or `tcp`; `path` is a socket's."""

    scheme: str
    host: str
    port: int | None
    user: str | None
    path: str
    ssh_options: tuple[str, ...]


def parse_address(host: str, ssh_options: tuple[str, ...]) -> Address:
    """Return the provider's `host` as values."""
    parts = urlsplit(host)
    if parts.scheme not in {"ssh", "unix", "tcp"} or (parts.scheme != "unix" and not parts.hostname):
        message = f"Error initializing Docker client: unable to parse docker host `{host}`"
        raise PluginError(message)
    if parts.scheme == "ssh" and parts.password is not None:
        message = "Error initializing Docker client: plain-text password is not supported"
        raise PluginError(message)
    return Address(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port,
        user=unquote(parts.username) if parts.username else None,
        path=parts.path,
        ssh_options=ssh_options,
    )


def ssh_argv(address: Address) -> list[str]:
    """Return the `ssh` command line whose stdin and stdout are the engine's HTTP API."""
    login = [*(("-l", address.user) if address.user else ()), *(("-p", str(address.port)) if address.port else ())]
    socket = ["--host", f"unix://{address.path}"] if address.path.strip("/") else []
    return [
        "ssh", "-o", f"ConnectTimeout={CONNECT_TIMEOUT_SECONDS}", "-T", *address.ssh_options, *login,
        "--", address.host, "docker", *socket, "system", "dial-stdio",
    ]  # fmt: skip
