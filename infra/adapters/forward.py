"""Local ports that reach a host's loopback ports through SSH: how checks ask a candidate without public traffic."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Literal

from infra.adapters.process import run
from infra.adapters.ssh import forward_argv, shared_forward_argv
from infra.errors import HostUnreachableError, ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.adapters.hostctl import HostctlClient
    from infra.settings.model import Host

OPEN_TIMEOUT_SECONDS = 15.0
POLL_SECONDS = 0.05


@contextlib.contextmanager
def forwarded(client: HostctlClient, remote_ports: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield a local port for each named remote port; the tunnel ends with the context.

    It goes through the client's shared connection, or through one of its own when there is none.
    """
    local = {name: _free_port() for name in remote_ports}
    forwards = {local[name]: remote_ports[name] for name in remote_ports}
    if client.control_path and _ask(client, forwards, "forward"):
        try:
            yield local
        finally:
            _ask(client, forwards, "cancel")
        return
    with _tunnel(client.host, client.key_file, forwards):
        yield local


def _ask(client: HostctlClient, forwards: Mapping[int, int], ask: Literal["forward", "cancel"]) -> bool:
    """Return whether the client's shared connection began, or ended, to forward."""
    argv = shared_forward_argv(
        client.host, client.key_file, forwards=forwards, control_path=client.control_path, ask=ask
    )
    try:
        return run(argv, timeout_seconds=OPEN_TIMEOUT_SECONDS, check=False).exit_status == 0
    except ToolError:
        return False


@contextlib.contextmanager
def _tunnel(host: Host, key_file: str, forwards: Mapping[int, int]) -> Iterator[None]:
    """Hold a connection of its own that forwards."""
    process = subprocess.Popen(  # noqa: S603 - an argv list, never a shell
        forward_argv(host, key_file, forwards=forwards),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_until_open(process, host, list(forwards))
        yield
    finally:
        process.terminate()
        process.communicate()


def _wait_until_open(process: subprocess.Popen[str], host: Host, ports: list[int]) -> None:
    deadline = time.monotonic() + OPEN_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            reason = (process.stderr.read() if process.stderr else "").strip()
            raise HostUnreachableError(
                f"{host.name}: no tunnel to the candidate: {reason[-300:]}", where=f"host {host.name}",
                mend="sshd must allow port forwarding for the deploy user (AllowTcpForwarding)",
            )  # fmt: skip
        if all(_is_open(port) for port in ports):
            return
        time.sleep(POLL_SECONDS)
    raise HostUnreachableError(
        f"{host.name}: no tunnel to the candidate in {OPEN_TIMEOUT_SECONDS:g} s", mend="is the host reachable?"
    )


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
