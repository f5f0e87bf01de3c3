"""SSH command lines: one key, one pinned host key, nothing asked and nothing learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.settings.model import Host

CONNECT_TIMEOUT_SECONDS = 10
ALIVE_INTERVAL_SECONDS = 5
ALIVE_COUNT = 3
CONNECTION_FAILED_STATUS = 255


def ssh_options(host: Host, key_file: str) -> list[str]:
    """Return the options that pin the host's key and use only `key_file`; stable, since providers compare them."""
    kind, key = host.host_key.split()[:2]
    options = {
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": "/dev/null",
        "GlobalKnownHostsFile": "/dev/null",
        "KnownHostsCommand": f"/bin/echo %H {kind} {key}",
        "HostKeyAlgorithms": kind if kind != "ssh-rsa" else "rsa-sha2-512,rsa-sha2-256",
        "ConnectTimeout": str(CONNECT_TIMEOUT_SECONDS),
        "ServerAliveInterval": str(ALIVE_INTERVAL_SECONDS),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        "LogLevel": "ERROR",
    }
    return [
        "-i",
        key_file,
        "-F",
        "/dev/null",
        *(part for name, value in options.items() for part in ("-o", f"{name}={value}")),
    ]


def ssh_argv(host: Host, key_file: str, *, command: str = "") -> list[str]:
    """Return the `ssh` command line that runs `command` on `host`."""
    destination = ["-p", str(host.port), f"{host.user}@{host.address}"]
    return ["ssh", *ssh_options(host, key_file), *destination, *([command] if command else [])]


def forward_argv(host: Host, key_file: str, *, forwards: dict[int, int]) -> list[str]:
    """Return the `ssh` command line that forwards local loopback ports to loopback ports of the host."""
    lines = [part for local, remote in forwards.items() for part in ("-L", f"127.0.0.1:{local}:127.0.0.1:{remote}")]
    return [
        "ssh", "-N", "-o", "ExitOnForwardFailure=yes", *lines, *ssh_options(host, key_file),
        "-p", str(host.port), f"{host.user}@{host.address}",
    ]  # fmt: skip
