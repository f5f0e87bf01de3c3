"""A real web server on a free loopback port that answers as told."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: a body that is text stays as it is, anything else is sent as JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class WebServer:
    """The server's port and what it was asked."""

    port: int = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    """A server that keeps connections waiting on a busy machine instead of refusing them."""

    request_queue_size = 128


@contextlib.contextmanager
def serving(answer: Callable[[str], Reply | None], *, serially: bool = True) -> Iterator[WebServer]:
    """Serve while the context is open; `answer` gets each path, and None closes the connection without a word.

    `serially` gives it one request at a time.
    """
    seen = WebServer()
    lock = threading.Lock() if serially else contextlib.nullcontext()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                seen.asked.append((self.path, dict(self.headers)))
                reply = answer(self.path)
            if reply is None:
                self.close_connection = True
                return
            body = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name
            """Say nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    seen.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
