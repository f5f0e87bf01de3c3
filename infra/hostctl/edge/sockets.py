"""HAProxy's runtime API and master CLI over their Unix sockets."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

from ..errors import HostctlError

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_SECONDS = 5.0
CHUNK_BYTES = 65536


def ask(path: Path, command: str, *, timeout_seconds: float = ANSWER_SECONDS) -> str:
    """Send one command to a socket of HAProxy and return its whole answer.

    Raise `edge_missing` when nobody listens, `edge_failed` when whoever does gives no answer in time.
    """
    try:
        with contextlib.closing(_connect(path, timeout_seconds)) as connection:
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)  # the master closes only after the client does
            return _read(connection).decode(errors="replace")
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise HostctlError("edge_missing", f"no edge listens on {path.name}: {error}") from error
    except OSError as error:
        raise HostctlError("edge_failed", f"the edge does not answer on {path.name}: {error}") from error


def _connect(path: Path, timeout_seconds: float) -> socket.socket:
    """Connect to a socket through its folder's descriptor: the path itself may be longer than a socket address."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_seconds)
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection


def _read(connection: socket.socket) -> bytes:
    """Return everything until the other side closes."""
    parts: list[bytes] = []
    while True:
        part = connection.recv(CHUNK_BYTES)
        if not part:
            return b"".join(parts)
        parts.append(part)
