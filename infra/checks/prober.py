"""A prober at a constant arrival rate: counts what was sent, answered and lost, and how long the longest gap was."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

REQUEST_TIMEOUT_SECONDS = 10.0
CONNECTIONS = 100
RELEASE_HEADER = "X-ACP-Release"
P99 = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """One kind of request that the prober sends in turn with the others."""

    name: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request's fate; `lost` says why there was no good answer."""

    name: str
    at: float
    milliseconds: float
    release: str | None
    lost: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a release cost its users, as one prober saw it."""

    sent: int
    failed: int
    longest_gap_ms: float
    p50_ms: float
    p99_ms: float
    started_at: float
    ended_at: float
    by_release: Mapping[str, int]
    reasons: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as the record and reports have it."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "longest_gap_ms": round(self.longest_gap_ms, 1),
            "p50_ms": round(self.p50_ms, 2),
            "p99_ms": round(self.p99_ms, 2),
            "from": self.started_at,
            "to": self.ended_at,
            "by_release": dict(self.by_release),
            "reasons": dict(self.reasons),
        }


def certify(answers: Sequence[Answer]) -> Certificate:
    """Return the certificate over `answers`; the gap is the longest time between two good answers' ends."""
    good = sorted((a for a in answers if a.lost is None), key=lambda a: a.at + a.milliseconds / 1000)
    ends = [a.at + a.milliseconds / 1000 for a in good]
    gaps = [later - earlier for earlier, later in itertools.pairwise(ends)]
    times = sorted(a.milliseconds for a in good)
    return Certificate(
        sent=len(answers),
        failed=len(answers) - len(good),
        longest_gap_ms=max(gaps, default=0.0) * 1000,
        p50_ms=statistics.median(times) if times else 0.0,
        p99_ms=times[min(len(times) - 1, int(len(times) * P99))] if times else 0.0,
        started_at=min((a.at for a in answers), default=0.0),
        ended_at=max((a.at for a in answers), default=0.0),
        by_release=Counter(a.release or "unknown" for a in good),
        reasons=Counter(f"{a.name}: {a.lost}" for a in answers if a.lost),
    )


class Prober:
    """Sends `rate` requests per second, whatever the answers take, from its own thread while the context is open."""

    def __init__(self, requests: Sequence[ProbeRequest], *, rate: float) -> None:
        """Prepare the prober; `rate` is over all kinds of request together."""
        self._requests = requests
        self._interval = 1 / rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="prober", daemon=True)
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send no more and wait for the answers that are outstanding."""
        self._stop.set()
        self._thread.join(timeout=REQUEST_TIMEOUT_SECONDS * 2)

    def certificate(self) -> Certificate:
        """Return the certificate over everything answered so far."""
        return certify(list(self.answers))

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        # A transport of our own: hosts are asked directly, whatever proxy the environment names.
        transport = httpx.AsyncHTTPTransport(limits=limits)
        async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_SECONDS, transport=transport) as client:
            pending: set[asyncio.Task[None]] = set()
            start, count = time.monotonic(), 0
            while not self._stop.is_set():
                request = self._requests[count % len(self._requests)]
                task = asyncio.create_task(self._send(client, request))
                pending.add(task)
                task.add_done_callback(pending.discard)
                count += 1
                await asyncio.sleep(max(0.0, start + count * self._interval - time.monotonic()))
            if pending:
                await asyncio.wait(pending)

    async def _send(self, client: httpx.AsyncClient, request: ProbeRequest) -> None:
        at, begin = time.time(), time.monotonic()
        release, lost = None, None
        try:
            response = await client.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                json=request.json,
                extensions={"sni_hostname": request.server_name} if request.server_name else {},
            )
        except httpx.HTTPError as error:
            lost = type(error).__name__
        else:
            release = response.headers.get(RELEASE_HEADER)
            if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                lost = f"status {response.status_code}"
        took = (time.monotonic() - begin) * 1000
        self.answers.append(Answer(name=request.name, at=at, milliseconds=took, release=release, lost=lost))
