"""One SSH connection per host for all that a rollout asks of it: each of its own would cost a handshake."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import socket
import stat
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from infra.adapters.ssh import ssh_argv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.adapters.hostctl import HostctlClient

OWNER_ONLY = 0o700
LONGEST_PATH_BYTES = 85
"""Of a socket, less what ssh adds to it while it makes one (`sun_path` of unix(7) has 108)."""
END_SECONDS = 2.0
HOLD = "hostctl --hold"
"""What a connection is held by: it waits for input that never comes, and ends when this process does."""


def sockets_folder() -> Path:
    """Return where this user's sockets are: never in the checkout, which people copy, and a socket cannot be copied."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"acp-ssh-{os.getuid()}"


@contextlib.contextmanager
def shared(
    clients: Sequence[HostctlClient], *, folder: Path | None = None, lingers: bool = False
) -> Iterator[Sequence[HostctlClient]]:
    """Yield the clients with a connection each that their tunnels and all their hostctl sessions go through.

    Nobody waits for it: until it is open, and after it was lost, whatever begins opens its own as it would without. So
    it does where `folder` (by default `sockets_folder()`) is another user's. With `lingers` the connections stay when
    the context ends well, for the next one in this process.
    """
    folder = folder or sockets_folder()
    is_own = _is_own(folder)
    if is_own:
        _sweep(folder)
    with contextlib.ExitStack() as stack:
        connections: list[_Connection] = []
        for client in clients:
            connections.append(_connection(client, folder if is_own else None))
            stack.callback(connections[-1].close)
        yield [connection.reached_by(client) for client, connection in zip(clients, connections, strict=True)]
        if lingers:
            stack.pop_all()
            _lingering.update({_key(client): found for client, found in zip(clients, connections, strict=True)})


class _Connection:
    """A connection to one host, and the hostctl sessions that go through it; without a `folder` the sessions alone."""

    def __init__(self, client: HostctlClient, folder: Path | None) -> None:
        """Begin to open it."""
        path = folder / secrets.token_hex(4) if folder else None
        self._path = path if path and len(str(path).encode()) <= LONGEST_PATH_BYTES else None
        self._master = _open_master(client, self._path) if self._path else None
        reached = replace(client, control_path=str(self._path or ""))
        self._sessions = reached.with_sessions().sessions

    @property
    def is_open(self) -> bool:
        """Whether it is worth going on with."""
        return self._master is not None and self._master.poll() is None

    def reached_by(self, client: HostctlClient) -> HostctlClient:
        """Return a client of this host that goes through it."""
        return replace(client, control_path=str(self._path or ""), sessions=self._sessions)

    def close(self) -> None:
        """End it, its sessions first."""
        if self._sessions is not None:
            self._sessions.close()
        if self._master is None or self._path is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._master.stdin.close() if self._master.stdin else None
        try:
            self._master.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._master.terminate()
            self._master.wait()
        self._path.unlink(missing_ok=True)


_lingering: dict[tuple[str, ...], _Connection] = {}
"""Connections that wait for the next context, by what leads to their host."""


@atexit.register
def end_lingering() -> None:
    """End the connections that no context came for."""
    while _lingering:
        _lingering.popitem()[1].close()


def _key(client: HostctlClient) -> tuple[str, ...]:
    return tuple(ssh_argv(client.host, client.key_file))


def _connection(client: HostctlClient, folder: Path | None) -> _Connection:
    """Return the connection that was left by the context before and still stands, or a new one."""
    left = _lingering.pop(_key(client), None)
    if left is not None and left.is_open:
        return left
    if left is not None:
        left.close()
    return _Connection(client, folder)


def _open_master(client: HostctlClient, path: Path) -> subprocess.Popen[bytes]:
    """Start what holds a connection and makes its socket; it ends with its input, so with this process."""
    return subprocess.Popen(  # noqa: S603 - an argv list, never a shell
        ssh_argv(client.host, client.key_file, command=HOLD, control_path=str(path), is_master=True),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _is_own(folder: Path) -> bool:
    """Make the folder if it is not there; return whether it is this user's alone."""
    try:
        folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == OWNER_ONLY


def _sweep(folder: Path) -> None:
    """Remove the sockets of masters that were killed."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError), socket.socket(socket.AF_UNIX) as caller:
            try:
                caller.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
