"""Servers that stand for Slack, Teams, PagerDuty, a webhook and GitHub: real ones, which check what they get."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import socket
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.support.notices import SIGNING_KEY
from tests.support.vendor_shapes import shape_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = "o/r"
DEPLOYMENTS = f"/repos/{OWNER}/deployments"
TOKEN = "planted-github-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How a server behaves before it recovers: a status with headers, after a while, so many times."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    slow_seconds: float = 0.0
    times: int = 1


@dataclass(slots=True)
class Vendors:
    """All vendors on one port; `got` has what was accepted, `problems` what was wrong with it."""

    port: int = 0
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    wake: threading.Event = field(default_factory=threading.Event)

    def address(self, path: str) -> str:
        """Return the address of a vendor."""
        return f"http://127.0.0.1:{self.port}{path}"

    def accepted(self, path: str) -> list[dict[str, Any]]:
        """Return the documents that a vendor took, in order."""
        with self.lock:
            return [document for where, document in self.got if where == path]

    def state_of(self, identity: int) -> str:
        """Return the newest state of a deployment."""
        return str(self.statuses[identity][-1]["state"]) if self.statuses.get(identity) else ""


SHAPES = {"/slack": ("slack", 200, "ok"), "/teams": ("teams", 202, ""), "/pagerduty": ("pagerduty", 202, "{}")}


class Handler(BaseHTTPRequestHandler):
    """Answers for all vendors."""

    state: Vendors

    def do_POST(self) -> None:
        """Take a document, unless in trouble."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not self._is_troubled():
            with self.state.lock:
                _take(self.state, self, body)

    def do_GET(self) -> None:
        """Answer GitHub's lists, unless in trouble."""
        if not self._is_troubled():
            with self.state.lock:
                _answer(self.state, self)

    def _is_troubled(self) -> bool:
        """Be as slow as told, and answer with the trouble's status if it is an error."""
        where = "/" + self.path.split("/")[1].split("?")[0]
        with self.state.lock:
            trouble = self.state.troubles.get(where)
            if trouble is None or trouble.times <= 0:
                return False
            self.state.troubles[where] = dataclasses.replace(trouble, times=trouble.times - 1)
        self.state.wake.wait(trouble.slow_seconds)
        if trouble.status < HTTPStatus.MULTIPLE_CHOICES:
            return False
        self.reply(trouble.status, "in trouble", trouble.headers)
        return True

    def reply(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name
        """Say nothing."""


@contextlib.contextmanager
def vendors(port: int = 0) -> Iterator[Vendors]:
    """Serve all vendors while the context is open."""
    state = Vendors()
    server = ThreadingHTTPServer(("127.0.0.1", port), type("OwnHandler", (Handler,), {"state": state}))
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.wake.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _take(state: Vendors, handler: Handler, body: bytes) -> None:
    """Accept a posted document when it is what the vendor takes, else answer 400."""
    document = json.loads(body)
    path = handler.path.split("?")[0]
    if path in SHAPES:
        shape, status, text = SHAPES[path]
        _judge(state, handler, path, document, shape_problems(shape, document), status, text)
    elif path == "/webhook":
        problems = shape_problems("cloudevents", document) + signature_problems(handler.headers, body)
        _judge(state, handler, path, document, problems, 200, "")
    elif path == DEPLOYMENTS:
        _create(state, handler, document)
    elif path.startswith(f"{DEPLOYMENTS}/") and path.endswith("/statuses"):
        identity = int(path.split("/")[-2])
        problems = shape_problems("github-status", document) + authorization_problems(handler.headers)
        if not problems:
            state.statuses.setdefault(identity, []).append(document)
        _judge(state, handler, path, document, problems, 201, json.dumps({"id": 1, **document}))
    else:
        handler.reply(404, "no_such_thing")


def _judge(
    state: Vendors, handler: Handler, path: str, document: Any, problems: list[str], status: int, text: str
) -> None:
    state.problems += problems
    if problems:
        handler.reply(400, "; ".join(problems))
        return
    state.got.append((path, document))
    handler.reply(status, text)


def _create(state: Vendors, handler: Handler, document: dict[str, Any]) -> None:
    """Make a deployment, as GitHub does: the newest stands first."""
    problems = shape_problems("github-deployment", document) + authorization_problems(handler.headers)
    made = {**document, "id": len(state.deployments) + 1}
    if not problems:
        state.deployments.insert(0, made)
    _judge(state, handler, DEPLOYMENTS, document, problems, 201, json.dumps(made))


def _answer(state: Vendors, handler: Handler) -> None:
    """Answer GitHub's two lists."""
    state.problems += authorization_problems(handler.headers)
    parts = urlsplit(handler.path)
    if parts.path == DEPLOYMENTS:
        wanted = parse_qs(parts.query)["environment"]
        handler.reply(200, json.dumps([d for d in state.deployments if d["environment"] in wanted]))
    elif parts.path.startswith(f"{DEPLOYMENTS}/") and parts.path.endswith("/statuses"):
        known = state.statuses.get(int(parts.path.split("/")[-2]), [])
        handler.reply(200, json.dumps(known[::-1]))
    else:
        handler.reply(404, "no_such_thing")


def signature_problems(headers: Any, body: bytes) -> list[str]:
    """Return what is wrong with a request's signature, computed as Standard Webhooks say."""
    key = base64.b64decode(SIGNING_KEY.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    is_typed = headers["Content-Type"].startswith("application/cloudevents+json")
    return [
        *([] if headers["webhook-signature"] == wanted else ["the signature is another"]),
        *([] if is_typed else ["the content type is another"]),
    ]


def authorization_problems(headers: Any) -> list[str]:
    """Return what is wrong with the headers of a request to GitHub."""
    wanted = {
        "Authorization": f"Bearer {TOKEN}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return [f"{name} is {headers[name]!r}" for name, value in wanted.items() if headers[name] != value]
