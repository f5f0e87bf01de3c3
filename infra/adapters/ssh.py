"""SSH command lines: one key, one pinned host key, nothing asked and nothing learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def ssh_argv(
    host: Host, key_file: str, *, command: str = "", control_path: str = "", is_master: bool = False
) -> list[str]:
    """Return the `ssh` command line that runs `command` on `host`.

    With `control_path` it goes through the connection that has its socket there, when there is one; as its master it
    makes that socket.
    """
    master = ["-M"] if is_master else []
    return [
        "ssh", *master, *ssh_options(host, key_file), *_sharing(control_path), *_destination(host),
        *([command] if command else []),
    ]  # fmt: skip


def forward_argv(host: Host, key_file: str, *, forwards: Mapping[int, int]) -> list[str]:
    """Return the `ssh` command line that forwards local loopback ports to loopback ports of the host."""
    return [
        "ssh", "-N", "-o", "ExitOnForwardFailure=yes", *_forwards(forwards), *ssh_options(host, key_file),
        *_destination(host),
    ]  # fmt: skip


def shared_forward_argv(
    host: Host, key_file: str, *, forwards: Mapping[int, int], control_path: str, ask: Literal["forward", "cancel"]
) -> list[str]:
    """Return the `ssh` command line that asks the master at `control_path` to begin or to end forwarding ports."""
    return [
        "ssh", "-O", ask, *_forwards(forwards), *ssh_options(host, key_file), *_sharing(control_path),
        *_destination(host),
    ]  # fmt: skip


def _forwards(forwards: Mapping[int, int]) -> list[str]:
    return [part for local, remote in forwards.items() for part in ("-L", f"127.0.0.1:{local}:127.0.0.1:{remote}")]


def _sharing(control_path: str) -> list[str]:
    # In a path a per cent sign begins a token of ssh's.
    return ["-o", f"ControlPath={control_path.replace('%', '%%')}"] if control_path else []


def _destination(host: Host) -> list[str]:
    return ["-p", str(host.port), f"{host.user}@{host.address}"]
