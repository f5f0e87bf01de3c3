"""Analyst Copilot as its contract has it, on a loopback port, with things in it that can be broken one by one."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

RELEASE = "v1.4.2-1a2b3c4d"
VERSION = "v1.4.2"
LOOKS_OF_A_WHILE = 2
TOLD = {
    "acp-ingest": ("database", "redis", "chroma", "llm_endpoint", "embedding_endpoint", "disk_space"),
    "acp-agents": ("redis", "knowledge_service", "llm_endpoint"),
}
CRITICAL = {"acp-ingest": ("database", "redis"), "acp-agents": ("redis",)}


@dataclass(slots=True)
class FakeApp:
    """Both services over one state; `broken` names what does not work, `failing` the jobs that fail.

    `bare` is an app without the extras.
    """

    release: str | None = RELEASE
    version: str | None = VERSION
    broken: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    bare: bool = False
    documents: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, service: str, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and body of one request to one service."""
        with self.lock:
            self.asked.append(f"{method} {path}")
            for prefix, handle in self._routes(service):
                if path.startswith(prefix):
                    status, document = handle(method, path, body)
                    return status, document
            return 404, {"detail": "Not Found"}

    def _routes(self, service: str) -> list[tuple[str, Callable[[str, str, Any], tuple[int, Any]]]]:
        health = [
            ("/health/ready", lambda *_: self._ready(service)),
            ("/health/startup", lambda *_: self._startup()),
            ("/health", lambda *_: self._health(service)),
            (
                "/version",
                lambda *_: (200, {"version": self.version, **({} if self.bare else {"release": self.release})}),
            ),
            ("/metrics", lambda *_: self._metrics()),
        ]
        if service == "acp-agents":
            return [*health, ("/api/v1/jobs", self._job)]
        return [
            *health,
            ("/api/v1/ingest/paste", self._paste),
            ("/api/v1/ingest/status/", self._status),
            ("/api/v1/ingest/documents/", self._remove),
            ("/api/v1/search", self._search),
        ]

    def _metrics(self) -> tuple[int, Any]:
        return 500 if "metrics fail" in self.broken else 200, "" if "metrics" in self.broken else "acp_requests_total 1"

    def _is_down(self, name: str) -> bool:
        return name in self.broken or (name == "knowledge_service" and bool({"database", "redis"} & self.broken))

    def _health(self, service: str) -> tuple[int, Any]:
        if f"{service} down" in self.broken:
            return 500, {}
        services = {
            name: {"status": "unhealthy", "error": "refused"} if self._is_down(name) else {"status": "healthy"}
            for name in TOLD[service]
        }
        good = not any(map(self._is_down, TOLD[service]))
        return 200, {"status": "healthy" if good else "unhealthy", "version": self.version, "services": services}

    def _ready(self, service: str) -> tuple[int, Any]:
        states = {name: "unhealthy" if self._is_down(name) else "healthy" for name in CRITICAL[service]}
        ready = "unhealthy" not in states.values() and f"{service} not ready" not in self.broken
        return 200, {"status": "ready" if ready else "not_ready", "critical_services": states}

    def _startup(self) -> tuple[int, Any]:
        if self.bare:
            return 404, {}
        return 200, {"status": "starting" if "startup" in self.broken else "started"}

    def _paste(self, _method: str, _path: str, body: Any) -> tuple[int, Any]:
        if {"database", "redis", "paste"} & self.broken:
            return 503, {"detail": "out of reach"}
        job = f"d{len(self.documents)}"
        if "paste fails with a job" in self.broken:
            return 500, {"job_id": job}
        self.documents[job] = body["text"]
        if "paste without a job" in self.broken:
            return 200, {"status": "pending"}
        return 200 if self.bare else 202, {"job_id": job, "status": "pending", "message": "queued"}

    def _status(self, _method: str, path: str, _body: Any) -> tuple[int, Any]:
        job = path.rpartition("/")[2]
        if "writes are lost" in self.broken or job not in self.documents:
            return 404, {}
        if "status" in self.broken:
            return 500, {}
        if "another document" in self.broken:
            return 200, {"id": "d-other", "status": "completed"}
        if "odd status" in self.broken:
            return 200, {"id": job, "status": "odd"}
        if "error quotes" in self.broken:
            return 200, {"id": job, "status": "failed", "error": "cannot use s3cr3t-model-key"}
        waits = {"worker", "embedding_endpoint"} & self.broken or self._takes_a_while("documents", path)
        status = "failed" if "jobs fail" in self.broken else "pending" if waits else "completed"
        return 200, {"id": job, "status": status, "progress": 100}

    def _takes_a_while(self, what: str, path: str) -> bool:
        return f"{what} take a while" in self.broken and self.asked.count(f"GET {path}") <= LOOKS_OF_A_WHILE

    def _search(self, _method: str, _path: str, body: Any) -> tuple[int, Any]:
        if {"database", "embedding_endpoint", "search"} & self.broken:
            return 503, {}
        if "search shape" in self.broken:
            return 200, {"hits": []}
        if "search finds others" in self.broken:
            return 200, {"results": [{"chunk": {"content": "of another document"}}]}
        found = [text for text in self.documents.values() if text == body["query"] and "chroma" not in self.broken]
        results = [{"chunk": {"content": text}, "similarity_score": 1.0, "rank": 1} for text in found]
        if "search fails with results" in self.broken:
            return 500, {"results": results}
        return 200, {"query": body["query"], "results": results, "total_results": len(results)}

    def _remove(self, method: str, path: str, _body: Any) -> tuple[int, Any]:
        if self.bare:
            return 405, {}
        if "removal" in self.broken:
            return 500, {}
        self.removed.append(f"{method} {path}")
        return 204, None

    def _job(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "DELETE":
            return self._remove(method, path, body)
        if {"jobs", "redis"} & self.broken:
            return 503, {}
        if method == "POST":
            job = f"j{len(self.jobs)}"
            self.jobs[job] = body["question"]
            return 202, {"id" if self.bare else "job_id": job, "status": "pending"}
        job = path.rpartition("/")[2]
        if job not in self.jobs or "jobs are lost" in self.broken:
            return 404, {}
        if "jobs cannot be read" in self.broken:
            return 503, {}
        broken = {"agents fail": "failed", "agents hang": "running", "no status": None}
        status = next((status for name, status in broken.items() if name in self.broken), "completed")
        if job in self.failing:
            status = "failed"
        if self._takes_a_while("jobs", path):
            status = "running"
        told = {"id": "j-other" if "another job" in self.broken else job, "status": status}
        return 500 if "jobs fail with an answer" in self.broken else 200, told


@contextlib.contextmanager
def served(app: FakeApp, tls: ssl.SSLContext | None = None) -> Iterator[dict[str, int]]:
    """Serve both services while the context is open; yield the port of each by name."""
    with contextlib.ExitStack() as stack:
        yield {
            service: stack.enter_context(answering(_handler(app, service), tls))
            for service in ("acp-ingest", "acp-agents")
        }


def _handler(app: FakeApp, service: str) -> Callable[[str, str, Any], tuple[int, Any, dict[str, str]]]:
    def handle(method: str, path: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        status, document = app.answer(service, method, path, body)
        return status, document, {"X-ACP-Release": app.release} if app.release else {}

    return handle


@contextlib.contextmanager
def answering(
    handle: Callable[[str, str, Any], tuple[int, Any, dict[str, str]]], tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve what `handle` answers to method, path and JSON body; yield the port."""

    class Answering(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, document, headers = handle(self.command, urlsplit(self.path).path, body)
            content = document if isinstance(document, str) else json.dumps(document) if document is not None else ""
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content.encode())

        do_GET = do_POST = do_DELETE = _respond  # noqa: N815 - the server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Answering)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
