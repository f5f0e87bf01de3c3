"""The Docker Engine's HTTP API, over SSH, a Unix socket or TCP."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.docker.address import DEFAULT_TCP_PORT, Address, ssh_argv

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_TIMEOUT_SECONDS = 20 * 60
SSH_END_SECONDS = 5
NOT_FOUND = 404
FIRST_ERROR_STATUS = 400


@dataclass(frozen=True, slots=True)
class EngineError(Exception):
    """The engine answered with an error."""

    status: int
    message: str

    def __str__(self) -> str:
        """Return the message as Docker's own client prints it."""
        return f"Error response from daemon: {self.message}"


class Engine:
    """One connection to an engine; requests go one after another."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        """Take an open connection and ask for the newest API version the engine speaks."""
        self._connection = connection
        self._prefix = ""
        with self._answered("GET", "/_ping", None) as answer:
            answer.read()
            self._prefix = f"/v{answer.headers['Api-Version']}"

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the engine's answer as JSON; raise `EngineError` for an error status."""
        with self._answered(method, self._prefix + path, body) as answer:
            content = answer.read()
        parsed = json.loads(content) if content else None
        if answer.status >= FIRST_ERROR_STATUS:
            raise EngineError(answer.status, (parsed or {}).get("message", answer.reason))
        return parsed

    @contextlib.contextmanager
    def _answered(self, method: str, path: str, body: dict[str, Any] | None) -> Iterator[http.client.HTTPResponse]:
        """Send a request and hold the response."""
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if content else {}
        self._connection.request(method, path, body=content, headers=headers)
        yield self._connection.getresponse()


@contextlib.contextmanager
def connected(address: Address) -> Iterator[Engine]:
    """Hold a connection to the engine at `address`; what it cannot reach, it names with the reason."""
    with contextlib.ExitStack() as held:
        link = held.enter_context(_linked(address))
        connection = http.client.HTTPConnection("docker.example.com")
        connection.sock = link.sock
        try:
            engine = Engine(connection)
        except (OSError, http.client.HTTPException) as error:
            message = f"Error pinging Docker server: {link.reason(error)}"
            raise PluginError(message) from None
        try:
            yield engine
        except (OSError, http.client.HTTPException) as error:
            raise PluginError(link.reason(error)) from None


class SocketLink:
    """A socket straight to the engine."""

    def __init__(self, address: Address) -> None:
        """Connect."""
        self._name = f"unix://{address.path}" if address.scheme == "unix" else f"tcp://{address.host}"
        try:
            self.sock = _plain_socket(address)
        except OSError as error:
            message = f"Error pinging Docker server: {self.reason(error)}"
            raise PluginError(message) from None
        self.sock.settimeout(ANSWER_TIMEOUT_SECONDS)

    def reason(self, error: Exception) -> str:
        """Return why the engine did not answer."""
        return f"Cannot connect to the Docker daemon at {self._name}. Is the docker daemon running? ({error})"

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class SshLink:
    """A local `ssh` that runs `docker system dial-stdio` on the host; its stdin and stdout are one socket here."""

    def __init__(self, address: Address) -> None:
        """Start ssh in a session of its own, so that it cannot ask at the terminal."""
        self._argv = ssh_argv(address)
        self.sock, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                self._argv,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self.sock.settimeout(ANSWER_TIMEOUT_SECONDS)

    def reason(self, error: Exception) -> str:
        """Return why there is no answer: ssh's own exit status and words, if it has ended."""
        try:
            _, stderr = self._process.communicate(timeout=SSH_END_SECONDS)
        except subprocess.TimeoutExpired:
            return f"error during connect: {error}"
        return (
            f"error during connect: command [{' '.join(self._argv)}] has exited with exit status "
            f"{self._process.returncode}, make sure the URL is valid, and Docker 18.09 or later is installed on the "
            f"remote host: stderr={stderr.decode(errors='replace')}"
        )

    def close(self) -> None:
        """End the connection; ssh ends with its input."""
        self.sock.close()
        try:
            self._process.communicate(timeout=SSH_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


@contextlib.contextmanager
def _linked(address: Address) -> Iterator[SocketLink | SshLink]:
    """Hold the way to the engine."""
    link = SshLink(address) if address.scheme == "ssh" else SocketLink(address)
    try:
        yield link
    finally:
        link.close()


def _plain_socket(address: Address) -> socket.socket:
    """Return a connected socket."""
    if address.scheme == "tcp":
        return socket.create_connection((address.host, address.port or DEFAULT_TCP_PORT))
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    plain.connect(address.path)
    return plain
