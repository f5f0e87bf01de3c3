"""Container health check: judges the body, not only the status code.

Usage: healthcheck.py http://127.0.0.1:8000/health/ready   (its `status` must be `ready`)
       healthcheck.py /tmp/worker.json                    (its `status` must be `ready` and it must be fresh)

Runs every few seconds in every container, so it imports as little as it can.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

_TIMEOUT_SECONDS = 4.0
_FRESH_SECONDS = 15.0


def judge(answer: str) -> bool:
    """Tell whether a body says `ready`."""
    try:
        body = json.loads(answer)
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("status") == "ready"


def parse_url(url: str) -> tuple[str, int, str]:
    """Split a plain `http://host:port/path`."""
    authority, _, path = url.removeprefix("http://").partition("/")
    host, _, port = authority.partition(":")
    return host, int(port or 80), f"/{path}"


def fetch(url: str) -> tuple[int, str]:
    """Give the status code and body of a GET."""
    host, port, path = parse_url(url)
    with socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode("ascii"))
        received = b""
        while block := connection.recv(65536):
            received += block
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body.decode()


def is_ready(target: str) -> bool:
    """Tell whether the service behind `target` (an address or a state file) is ready."""
    if target.startswith("http://"):
        status, body = fetch(target)
        return status == 200 and judge(body)  # noqa: PLR2004  (http.HTTPStatus would double the start time)
    path = Path(target)
    return time.time() - path.stat().st_mtime < _FRESH_SECONDS and judge(path.read_text(encoding="utf-8"))


def main() -> int:
    """Exit 0 when ready, 1 when not."""
    try:
        return 0 if is_ready(sys.argv[1]) else 1
    except (OSError, ValueError, IndexError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
