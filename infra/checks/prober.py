"""A prober at a constant arrival rate: what was sent, what came back, and when it was itself kept from working."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx

from infra.domain.certificate import Answer, Certificate, Hiccup, certify

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
    from types import TracebackType

    from infra.domain.certificate import Blame

REQUEST_TIMEOUT_SECONDS = 10.0
KEPT_CONNECTIONS = 100
RELEASE_HEADER = "X-ACP-Release"
PATIENCE = {"timeout": httpx.Timeout(REQUEST_TIMEOUT_SECONDS).as_dict()}
HICCUP_SECONDS = 0.25
"""How late the prober or its control target must be for it to count. A busy machine is late by some milliseconds all
the time; were that counted, its hiccups would cover the whole time and excuse any server."""
RUNNER_ERRORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
"""What only this machine says: no file, no memory, no free port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """One kind of request that the prober sends in turn with the others."""

    name: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    server_name: str | None = None

    def prepared(self, headers: Mapping[str, str]) -> httpx.Request:
        """Return what is sent, with `headers` more; made once and sent often, which costs the processor less."""
        asked_for = {"sni_hostname": self.server_name} if self.server_name else {}
        whole = {**self.headers, **headers}
        return httpx.Request(self.method, self.url, headers=whole, json=self.json, extensions={**PATIENCE, **asked_for})


class Sender:
    """Sends requests in turn, `rate` per second over all of them, whatever the answers take.

    With a `control_url`, each request has a twin to that target, which is on this machine: what delays the twin
    delayed the request too.
    """

    def __init__(
        self,
        requests: Sequence[ProbeRequest],
        *,
        rate: float,
        control_url: str | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """Prepare; nothing is sent before `run`. `verify` says who may vouch for a server."""
        self._requests = requests
        self._verify = verify
        self._interval = 1 / rate
        self._control_request = httpx.Request("GET", control_url, extensions=PATIENCE) if control_url else None
        self._epoch = time.time() - time.monotonic()
        self.answers: list[Answer] = []
        self.hiccups: list[Hiccup] = []

    async def run(self, stop: asyncio.Event, *, grace_seconds: float = REQUEST_TIMEOUT_SECONDS * 2) -> None:
        """Send until `stop`, then each kind once more, and wait `grace_seconds` for what is outstanding."""
        # No limit of our own on connections: while a server is silent, requests must not wait for each other.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS)
        # Every other round ends its connections, so that new ones are tried as well.
        keeping = [(request.name, request.prepared({})) for request in self._requests]
        ending = [(request.name, request.prepared({"Connection": "close"})) for request in self._requests]
        # Transports without a client around them, which would take as much of the processor again: a rollout beside
        # needs it. They ask hosts directly, whatever proxy the environment names.
        async with (
            httpx.AsyncHTTPTransport(limits=limits, verify=self._verify) as to,
            httpx.AsyncHTTPTransport(limits=limits) as control,
        ):
            pending: set[asyncio.Task[None]] = set()
            stopping = asyncio.create_task(stop.wait())
            start = time.monotonic()
            for count, (name, request) in enumerate(itertools.cycle([*keeping, *ending]), start=1):
                self._spawn(pending, self._send(to, name, request), control)
                due = start + count * self._interval
                await asyncio.wait({stopping}, timeout=max(0.0, due - time.monotonic()))
                if stop.is_set():
                    break
                self._note_hiccup(due, time.monotonic())
            for name, request in keeping:
                self._spawn(pending, self._send(to, name, request), control)
            await self._finish(pending, grace_seconds)

    def _spawn(
        self,
        pending: set[asyncio.Task[None]],
        sending: Coroutine[Any, Any, None],
        control: httpx.AsyncHTTPTransport,
    ) -> None:
        """Send one request and its twin."""
        work = [sending]
        if self._control_request is not None:
            work.append(self._ask_control(control, self._control_request))
        for coroutine in work:
            task = asyncio.create_task(coroutine)
            pending.add(task)
            task.add_done_callback(pending.discard)

    @staticmethod
    async def _finish(pending: set[asyncio.Task[None]], grace_seconds: float) -> None:
        """Wait for what is outstanding; what does not come in time is given up, which counts as unanswered."""
        if not pending:
            return
        _, late = await asyncio.wait(pending, timeout=grace_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _send(self, transport: httpx.AsyncHTTPTransport, name: str, request: httpx.Request) -> None:
        begin = time.monotonic()
        release: str | None = None
        lost: str | None = None
        blame: Blame = "server"
        try:
            response = await _ask(transport, request)
        except httpx.HTTPError as error:
            lost, blame = named(error), blame_of(error)
        except asyncio.CancelledError:
            lost, blame = "no answer by the end", "time"
        else:
            release = response.headers.get(RELEASE_HEADER)
            lost = _problem(response.status_code, release)
        took = (time.monotonic() - begin) * 1000
        at = self._epoch + begin
        self.answers.append(Answer(name=name, at=at, milliseconds=took, release=release, lost=lost, blame=blame))

    async def _ask_control(self, transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> None:
        """Ask the control target; a late answer, or none, is a hiccup of this machine."""
        begin = time.monotonic()
        try:
            await _ask(transport, request)
        except httpx.HTTPError:
            self.hiccups.append(Hiccup(start=self._epoch + begin, end=self._epoch + time.monotonic()))
        except asyncio.CancelledError:
            self._note_hiccup(begin, time.monotonic())
        else:
            self._note_hiccup(begin, time.monotonic())

    def _note_hiccup(self, start: float, end: float) -> None:
        if end - start > HICCUP_SECONDS:
            self.hiccups.append(Hiccup(start=self._epoch + start, end=self._epoch + end))


class Prober:
    """A sender in a thread of its own while the context is open."""

    def __init__(
        self,
        requests: Sequence[ProbeRequest],
        *,
        rate: float,
        new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    ) -> None:
        """Prepare the prober; `rate` is over all kinds of request together."""
        self._sender = Sender(requests, rate=rate)
        self._loop = new_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="prober", daemon=True)

    @property
    def answers(self) -> list[Answer]:
        """Everything answered so far."""
        return self._sender.answers

    @property
    def thread_id(self) -> int | None:
        """Return the system's number of the thread that sends, None before it does."""
        return self._thread.native_id

    def __enter__(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send no more and wait for the answers that are outstanding."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=REQUEST_TIMEOUT_SECONDS * 2)

    def certificate(self) -> Certificate:
        """Return the certificate over everything answered so far."""
        return certify(list(self._sender.answers), list(self._sender.hiccups))

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._sender.run(self._stop))


def blame_of(error: BaseException) -> Blame:
    """Return whom a request without an answer speaks against."""
    if isinstance(error, httpx.PoolTimeout) or any(
        isinstance(cause, OSError) and cause.errno in RUNNER_ERRORS for cause in _causes(error)
    ):
        return "runner"
    return "time" if isinstance(error, httpx.TimeoutException) else "server"


def named(error: BaseException) -> str:
    """Return an error's name, with the system's word for it where there is one: `ReadError (ECONNRESET)`."""
    # TLS and name resolution number their errors themselves.
    plain = [cause for cause in _causes(error) if isinstance(cause, OSError)]
    numbers = [cause.errno for cause in plain if not isinstance(cause, ssl.SSLError | socket.gaierror)]
    words = [errno.errorcode[number] for number in numbers if number is not None and number in errno.errorcode]
    return f"{type(error).__name__} ({words[-1]})" if words else type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and everything it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def _problem(status: int, release: str | None) -> str | None:
    """Return why an answer is none: a server error, or the edge's own refusal in the place of a release."""
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return f"status {status}"
    return f"status {status} of the edge itself" if status >= httpx.codes.BAD_REQUEST and release is None else None


async def _ask(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
    """Send a request and return its answer, read to the end; raise `httpx.HTTPError` when there is none."""
    response = await transport.handle_async_request(request)
    async with contextlib.aclosing(response):
        await response.aread()
    return response
