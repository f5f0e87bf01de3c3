"""The HTTP side of the model endpoint; settings come from the environment."""

from __future__ import annotations

import hmac
import json
import os
import signal
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import answers

MAX_BODY_BYTES = 16 * 1024 * 1024
PORT = 8080


class ModelServer(ThreadingHTTPServer):
    """Serves the API to callers that know `key`; a chat answer takes `delay_seconds`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], *, key: str, delay_seconds: float) -> None:
        """Listen on `address`."""
        super().__init__(address, Handler)
        self.key = key
        self.delay_seconds = delay_seconds


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: ModelServer

    def do_GET(self) -> None:
        """Answer `/health` to everybody and `/v1/models`, below any path, to callers with the key."""
        if self.path == "/health":
            self._send(HTTPStatus.OK, {"status": "healthy"})
        elif self._admitted():
            if self.path.endswith("/v1/models"):
                self._send(HTTPStatus.OK, answers.models())
            else:
                self._refuse(HTTPStatus.NOT_FOUND, f"no such path: {self.path}")

    def do_POST(self) -> None:
        """Answer chat completions and embeddings."""
        body = self._body()
        if body is None or not self._admitted():
            return
        try:
            request = json.loads(body)
            if not isinstance(request, dict):
                self._refuse(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
            elif self.path.endswith("/v1/embeddings"):
                self._send(HTTPStatus.OK, answers.embeddings(request))
            elif self.path.endswith("/v1/chat/completions"):
                self._chat(request)
            else:
                self._refuse(HTTPStatus.NOT_FOUND, f"no such path: {self.path}")
        except (ValueError, answers.RequestError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))

    def _chat(self, request: dict[str, Any]) -> None:
        if not request.get("stream"):
            answer = answers.completion(request)
            time.sleep(self.server.delay_seconds)
            self._send(HTTPStatus.OK, answer)
            return
        parts = answers.chunks(request)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"data: " + json.dumps(part).encode() + b"\n\n")
            self.wfile.flush()
            time.sleep(self.server.delay_seconds / len(parts))
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _body(self) -> bytes | None:
        """Return the request's body, None after refusing one of unknown or excessive length."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Content-Length: must be 0..{MAX_BODY_BYTES}")
            return None
        return self.rfile.read(int(length))

    def _admitted(self) -> bool:
        """Say whether the caller has the key, refusing it otherwise."""
        given = self.headers.get("Authorization", "").encode("latin-1")
        if hmac.compare_digest(given, f"Bearer {self.server.key}".encode()):
            return True
        self._refuse(HTTPStatus.UNAUTHORIZED, "the API key is missing or wrong")
        return False

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._send(status, {"error": {"message": reason, "type": "invalid_request_error", "code": status.value}})

    def _send(self, status: HTTPStatus, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet: load tests send thousands of requests."""


def main() -> None:
    """Serve until SIGTERM."""
    server = ModelServer(
        ("0.0.0.0", PORT),  # noqa: S104 - its container's own address
        key=os.environ["OPENAI_API_KEY"],
        delay_seconds=float(os.environ.get("MODEL_DELAY_SECONDS", "0")),
    )
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    main()
