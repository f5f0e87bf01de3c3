from __future__ import annotations

import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from acp_reference import healthcheck

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def answer() -> Iterator[list[bytes]]:
    """A server on the loopback interface that gives one canned answer; its address is put in last."""
    canned: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        canned.append(f"http://127.0.0.1:{server.getsockname()[1]}/health/ready".encode())

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(canned[-1])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield canned
        thread.join(5)


@pytest.mark.parametrize(
    ("status", "body", "ready"),
    [
        (200, '{"status": "ready"}', True),
        (200, '{"status": "not_ready"}', False),
        (503, '{"status": "ready"}', False),
        (200, "ready", False),
        (200, '["ready"]', False),
    ],
)
def test_the_body_is_judged_with_the_code(answer: list[bytes], status: int, body: str, *, ready: bool) -> None:
    """Only 200 with a body that says ready is ready."""
    answer.append(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n{body}".encode())

    assert healthcheck.is_ready(answer[0].decode()) is ready


def test_a_state_file_must_be_fresh(tmp_path: Path) -> None:
    """A worker that hangs leaves a file that says ready, and is not."""
    path = tmp_path / "worker.json"
    path.write_text('{"status": "ready"}', encoding="utf-8")
    assert healthcheck.is_ready(str(path))

    os.utime(path, (0, 0))
    assert not healthcheck.is_ready(str(path))


@pytest.mark.parametrize("arguments", [[], ["/no/such/file"], ["http://127.0.0.1:1/health/ready"]])
def test_what_cannot_be_asked_is_not_ready(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 1 without a traceback."""
    monkeypatch.setattr(sys, "argv", ["healthcheck.py", *arguments])

    assert healthcheck.main() == 1
