"""One SSH connection per host for all that a rollout asks of it: each of its own would cost a handshake."""

from __future__ import annotations

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
HOLD = "hostctl"
"""What a connection is held by: hostctl waits for a request that never comes, and ends when this process does."""


def sockets_folder() -> Path:
    """Return where this user's sockets are: never in the checkout, which people copy, and a socket cannot be copied."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"acp-ssh-{os.getuid()}"


@contextlib.contextmanager
def shared(clients: Sequence[HostctlClient], *, folder: Path | None = None) -> Iterator[Sequence[HostctlClient]]:
    """Yield the clients with a connection each that their tunnels and all their hostctl sessions go through.

    Nobody waits for it: until it is open, and after it was lost, whatever begins opens its own as it would without. So
    it does where `folder` (by default `sockets_folder()`) is another user's.
    """
    folder = folder or sockets_folder()
    is_own = _is_own(folder)
    if is_own:
        _sweep(folder)
    with contextlib.ExitStack() as stack:
        held = [
            stack.enter_context(_held(client, folder / secrets.token_hex(4))) if is_own else client
            for client in clients
        ]
        yield [stack.enter_context(_in_sessions(client)) for client in held]


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


@contextlib.contextmanager
def _in_sessions(client: HostctlClient) -> Iterator[HostctlClient]:
    """Yield the client with sessions that end with the context."""
    keeping = client.with_sessions()
    try:
        yield keeping
    finally:
        if keeping.sessions is not None:
            keeping.sessions.close()


@contextlib.contextmanager
def _held(client: HostctlClient, path: Path) -> Iterator[HostctlClient]:
    """Yield the client with the socket of a connection that ends with the context, or with this process."""
    if len(str(path).encode()) > LONGEST_PATH_BYTES:
        yield client
        return
    process = subprocess.Popen(  # noqa: S603 - an argv list, never a shell
        ssh_argv(client.host, client.key_file, command=HOLD, control_path=str(path), is_master=True),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield replace(client, control_path=str(path))
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close() if process.stdin else None
        try:
            process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
        path.unlink(missing_ok=True)
