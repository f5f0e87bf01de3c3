"""A local server that speaks the part of GitHub's API that is used here: settings to read, comments to write."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = "example/analyst-copilot"
TOKEN = "token-of-the-test"
PREFIX = f"/repos/{REPOSITORY}/"
MOST_ITEMS, MOST_VARIABLES = 100, 30


@dataclass(slots=True)
class GitHubServer:
    """The repository's documents by path, its comments by id, and all requests that came."""

    url: str = ""
    token: str = TOKEN
    documents: dict[str, Any] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Return what a workflow's environment says of it."""
        return {"GITHUB_API_URL": self.url, "GITHUB_TOKEN": self.token, "GITHUB_REPOSITORY": REPOSITORY}

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        """Return status and document."""
        address = urlsplit(target)
        path = address.path.removeprefix(PREFIX)
        if method == "GET" and path.endswith("/comments"):
            query = parse_qs(address.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            items = [{"id": number, "body": text} for number, text in sorted(self.comments.items())]
            return 200, items[(page - 1) * size : page * size]
        if method == "POST" and path.endswith("/comments"):
            self.comments[max(self.comments, default=0) + 1] = body["body"]
            return 201, {}
        if method == "PATCH" and path.startswith("issues/comments/"):
            self.comments[int(path.rpartition("/")[2])] = body["body"]
            return 200, {}
        if path not in self.documents:
            return 404, {"message": "Not Found"}
        return 200, _page(self.documents[path], parse_qs(address.query))


def _page(document: Any, query: dict[str, list[str]]) -> Any:
    """Return one page of a list that lies in a document, of which GitHub gives at most so many at once."""
    lists = [key for key, value in document.items() if isinstance(value, list)] if isinstance(document, dict) else []
    if not lists or "page" not in query:
        return document
    (key,), number = lists, int(query["page"][0])
    size = min(int(query["per_page"][0]), MOST_VARIABLES if key == "variables" else MOST_ITEMS)
    return {"total_count": len(document[key]), key: document[key][(number - 1) * size : number * size]}


@contextlib.contextmanager
def github_server(token: str = TOKEN) -> Iterator[GitHubServer]:
    """Serve while the context is open; requests without the token are refused."""
    github = GitHubServer(token=token)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            github.requests.append(f"{self.command} {self.path}")
            allowed = self.headers.get("Authorization") == f"Bearer {github.token}"
            status, document = github.answer(self.command, self.path, body) if allowed else (401, {})
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    github.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
