# ruff: noqa: INP001, T201 - alone in its image; its output is its log
"""The smallest release there is: ready or not, quick or slow, good or bad, as its environment and the path say."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RELEASE = os.environ["ACP_RELEASE"]
MODE = os.environ.get("MODE", "good")
UNREADY = Path("/tmp/unready")  # noqa: S108 - the container's own
"""While this file exists the release answers, but is not ready."""
POLL_SECONDS = 0.05


class Handler(BaseHTTPRequestHandler):
    """Answers with the release's name."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Say ready, wait, fail, or just answer."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = 200, {"release": RELEASE}
        if self.path == "/ready":
            body = {"status": "not_ready" if MODE == "never" or UNREADY.exists() else "ready"}
        elif self.path.startswith("/slow/"):
            time.sleep(float(self.path.rpartition("/")[2]))
        elif MODE == "failing":
            status, body = 500, {"error": "as told"}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815 - names of the base class

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Finishes running requests when it is told to stop."""

    daemon_threads = False
    request_queue_size = 128


def main() -> None:
    """Serve, or work through one task at a time, until SIGTERM."""
    print(f"{RELEASE} starts with {os.environ.get('DATABASE_URL')}", flush=True)
    if MODE == "crash":
        sys.exit(3)
    if os.environ.get("ROLE") == "worker":
        over = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: over.set())
        over.wait()
        time.sleep(1)
        print("task finished", flush=True)
        return
    server = Server(("0.0.0.0", 8000), Handler)  # noqa: S104 - the container's own network
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(POLL_SECONDS)


main()
