"""HTTP over Docker's Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .errors import HostctlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_SOCKET = "/var/run/docker.sock"
CALL_SECONDS = 30.0
FIRST_ERROR_STATUS = 400
NOT_FOUND = 404
NOT_MODIFIED = 304


def socket_path() -> str:
    """Return the path of Docker's socket."""
    host = os.environ.get("DOCKER_HOST", "")
    return host[len("unix://") :] if host.startswith("unix://") else DEFAULT_SOCKET


class DockerError(HostctlError):
    """An answer of Docker that is an error, with its HTTP status."""

    def __init__(self, status: int, message: str, *, code: str = "docker_error") -> None:
        """Keep the status for callers that expect some of them."""
        super().__init__(code, message)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__("docker", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class DockerSocket:
    """Sends requests to Docker; each has a connection of its own."""

    def __init__(self, path: str | None = None) -> None:
        """Talk to the socket at `path`, or to Docker's usual one."""
        self._path = path or socket_path()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = CALL_SECONDS,
    ) -> bytes:
        """Return the body of the answer; raise DockerError on an error status."""
        with self._request(method, path, query, body, headers, timeout_seconds) as response:
            return _read(response)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Return the answer's body as JSON, None when it is empty."""
        content = self.call(method, path, **options)
        return json.loads(content) if content.strip() else None

    def lines(
        self, method: str, path: str, *, query: Mapping[str, Any], headers: Mapping[str, str], timeout_seconds: float
    ) -> Iterator[dict[str, Any]]:
        """Yield the JSON lines of an answer as they come; `timeout_seconds` bounds the wait for each."""
        with self._request(method, path, query, None, headers, timeout_seconds) as response:
            while True:
                try:
                    line = response.readline()
                except (OSError, http.client.HTTPException) as error:
                    raise HostctlError("docker_unavailable", f"Docker stopped answering: {error}") from error
                if not line:
                    return
                if line.strip():
                    yield json.loads(line)

    @contextlib.contextmanager
    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
        timeout_seconds: float,
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give its response, open; raise on an error status."""
        connection = _UnixConnection(self._path, timeout_seconds)
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        sent = {**({"Content-Type": "application/json"} if content is not None else {}), **(headers or {})}
        try:
            try:
                connection.request(method, target, body=content, headers=sent)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise HostctlError("docker_unavailable", f"Docker does not answer on {self._path}: {error}") from error
            if response.status >= FIRST_ERROR_STATUS:
                raise DockerError(response.status, _message(_read(response)))
            yield response
        finally:
            connection.close()


def _read(response: http.client.HTTPResponse) -> bytes:
    """Return a whole body."""
    try:
        return response.read()
    except (OSError, http.client.HTTPException) as error:
        raise HostctlError("docker_unavailable", f"Docker stopped answering: {error}") from error


def _message(content: bytes) -> str:
    """Return the message in an error body."""
    text = content.decode(errors="replace").strip()
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(text).get("message", text))
    return text
