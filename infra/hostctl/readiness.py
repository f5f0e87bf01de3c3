"""Readiness of a release's containers, judged on status and body, several passes in a row."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .errors import HostctlError
from .health_look import HealthLook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .clock import Clock
    from .engine import Container, Engine
    from .redact import Redactor
    from .spec import Readiness, ReleaseSpec, Service

PROBE_SECONDS = 3.0
LONGEST_BODY_BYTES = 262144
RETRY_SECONDS = 0.2
WARM_RETRY_SECONDS = 0.1
"""The longest between two looks at what is not ready yet; one that starts up needs the processor itself."""
WORKER_SECONDS = 1.0
WORKER_INTERVAL_SECONDS = 0.25
LOG_LINES = 25
LONGEST_REASON = 280
"""Characters of an answer that are quoted, once every secret in it is masked."""


@dataclass(frozen=True)
class Passed:
    """A container that is ready, and how long that took."""

    container: str
    passes: int
    seconds: float


def judge(status: int, body: bytes, readiness: Readiness) -> str | None:
    """Return why an answer does not say ready, or None when it does; the code alone never decides.

    The answer is quoted whole: what is cut first may end within a secret, which is then no longer found.
    """
    shown = body.decode(errors="replace")
    if not 200 <= status < 300:  # noqa: PLR2004 - HTTP success
        return f"status {status}: {shown}"
    try:
        value: Any = json.loads(body)
        for part in readiness.field.split("."):
            value = value[part]
    except (ValueError, KeyError, TypeError):
        return f"no {readiness.field} in the answer: {shown}"
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    return None if text == readiness.equals else f"{readiness.field} is {text}, not {readiness.equals}"


def probe(address: str, port: int, readiness: Readiness) -> str | None:
    """Ask one container once; return why it is not ready, or None. It has `PROBE_SECONDS`, however its answer drips."""
    connection = http.client.HTTPConnection(address, port, timeout=PROBE_SECONDS)
    try:
        connection.connect()
        with _cut_after(PROBE_SECONDS, connection.sock):
            connection.request("GET", readiness.path, headers={"Host": "localhost", "User-Agent": "acp-hostctl"})
            response = connection.getresponse()
            return judge(response.status, response.read(LONGEST_BODY_BYTES), readiness)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {str(error) or type(error).__name__}"
    finally:
        connection.close()


@contextlib.contextmanager
def _cut_after(seconds: float, stream: socket.socket) -> Iterator[None]:
    """End a connection that the block still reads from by then: each byte of an answer would be waited for anew."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def seconds_since(started_at: str, now: float) -> float:
    """Return how long ago Docker's time `started_at` was, 0 for one that cannot be read."""
    try:
        began = datetime.strptime(started_at[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return 0.0
    return max(0.0, now - began.timestamp() - 1)  # the fraction that was cut off


def _with_passes(service: Service, passes: int) -> Service:
    """Return a service that is ready after `passes` answers."""
    if service.readiness is None:
        return service
    return replace(service, readiness=replace(service.readiness, passes=passes))


class _GaveUpError(Exception):
    """Another container of the release failed: there is nothing to wait for any more."""


@dataclass(frozen=True)
class _Waiting:
    """What the threads of one waiting share: what it is for, whether it is over, the names of the release's secrets."""

    secret_names: frozenset[str]
    fastest_seconds: float | None
    takes_all: bool
    """Whether all that readiness takes is asked for, not only some passes or what served before."""
    over: threading.Event = field(default_factory=threading.Event)


def _is_well(container: Container, look: HealthLook, waiting: _Waiting) -> bool:
    """Return whether a web container that answers passed its own health check, if that is to be seen.

    One that was committed or served before has shown it; Docker starts nothing again that is on trial.
    """
    is_new = waiting.takes_all and container.restart_policy == "no"
    return not is_new or container.health is None or look.is_well(container)


class Prober:
    """Waits until the containers of a release are ready."""

    def __init__(self, engine: Engine, clock: Clock, network: str | None, redactor: Redactor) -> None:
        """Reach containers through `network`; teach `redactor` the secrets of those that are waited for."""
        self._engine = engine
        self._clock = clock
        self._network = network
        self._redactor = redactor

    def wait(
        self, spec: ReleaseSpec, *, fastest_seconds: float | None = None, passes: int | None = None
    ) -> list[Passed]:
        """Wait for every replica; raise `candidate_not_ready`, `crash_loop` or `out_of_memory` with the last log lines.

        `fastest_seconds` is an upper bound on the time between two passes, for the warm start of a release that served
        before, and `passes` counts instead of what the release says. Without both a container on trial has to pass its
        own health check as well. The first container that fails ends the waiting for all.
        """
        jobs = [(service, name) for service in spec.services for name in spec.containers(service)]
        takes_all = fastest_seconds is None and passes is None
        waiting = _Waiting(frozenset(spec.secret_names), fastest_seconds, takes_all)
        if passes is not None:
            jobs = [(_with_passes(service, passes), name) for service, name in jobs]
        with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
            futures = [pool.submit(self._wait_one, service, name, waiting) for service, name in jobs]
            try:
                for future in as_completed(futures):
                    future.result()
            finally:
                waiting.over.set()
        return [future.result() for future in futures]

    def _wait_one(self, service: Service, name: str, waiting: _Waiting) -> Passed:
        """Wait for one container."""
        look = HealthLook(self._engine, self._clock, service.ready_timeout_seconds)
        if service.readiness is None or not service.is_web:
            return self._wait_worker(service, name, look, waiting)
        return self._wait_web(service.port, service.readiness, name, look, waiting)

    def _wait_web(self, port: int, readiness: Readiness, name: str, look: HealthLook, waiting: _Waiting) -> Passed:
        """Wait until a container answers ready as often as it takes, and its health check passed meanwhile."""
        fastest = waiting.fastest_seconds
        interval = min(readiness.interval_seconds, fastest or readiness.interval_seconds)
        retry = min(readiness.interval_seconds, WARM_RETRY_SECONDS if fastest else RETRY_SECONDS)
        began = self._clock.monotonic()
        passes, reason = 0, "no answer yet"
        while True:
            container = self._running(name, waiting)
            address = (
                container.address_on(self._network) if self._network else next(iter(container.addresses.values()), None)
            )
            why = probe(address, port, readiness) if address else "it has no address yet"
            passes, reason = (passes + 1, reason) if why is None else (0, why)
            is_well = why is None and _is_well(container, look, waiting)
            has_passed = passes >= readiness.passes
            taken = self._clock.monotonic() - began
            if has_passed and is_well:
                return Passed(name, passes, round(taken, 3))
            if taken >= readiness.timeout_seconds:
                reason = look.trouble if has_passed else f"GET {readiness.path} at port {port}: {reason}"
                raise self._late(name, "ready", readiness.timeout_seconds, reason)
            if has_passed:
                look.pause(interval)
            else:
                self._clock.sleep(interval if why is None else retry)

    def _wait_worker(self, service: Service, name: str, look: HealthLook, waiting: _Waiting) -> Passed:
        """Wait until a container without a port is healthy, or without a health check has run for a moment.

        One that was healthy before it was parked need only run. The checks before the commit ask for its health, and
        every phase looks for what has ended.
        """
        is_warm = waiting.fastest_seconds is not None
        settle_seconds = 0.0 if is_warm else WORKER_SECONDS
        began = self._clock.monotonic()
        while True:
            container = self._running(name, waiting)
            taken = self._clock.monotonic() - began
            up_seconds = max(taken, seconds_since(container.started_at, self._clock.unix()))
            needs_no_look = container.health is None or (is_warm and container.health == "starting")
            is_settled = needs_no_look and container.is_running and up_seconds >= settle_seconds
            if is_settled or look.is_well(container):
                return Passed(name, 1, round(taken, 3))
            if taken >= service.ready_timeout_seconds:
                reason = look.trouble or f"it is {container.state}"
                raise self._late(name, "healthy", service.ready_timeout_seconds, reason)
            look.pause(WORKER_INTERVAL_SECONDS)

    def _running(self, name: str, waiting: _Waiting) -> Container:
        """Return a container that runs, or raise why it does not.

        One of whose processes the kernel killed a while ago runs nevertheless: that a candidate does so is seen by its
        trial, and what serves is asked whether it answers.
        """
        if waiting.over.is_set():
            raise _GaveUpError
        container = self._engine.container(name)
        if container is None:
            raise HostctlError("candidate_not_ready", f"there is no container {name}", container=name)
        self._redactor.add(container.values_of(waiting.secret_names))
        if container.is_oom_killed and not container.is_running:
            raise self._failed("out_of_memory", name, f"{name} was killed: it used more memory than its limit")
        if container.state in {"exited", "dead", "removing", "restarting"}:
            reason = container.error or f"it ended with status {container.exit_code}"
            raise self._failed("crash_loop", name, f"{name} does not stay up: {reason}")
        return container

    def _shown(self, reason: str) -> str:
        """Return why a container is not ready, with no secret of the release in it, and then no longer than needed."""
        masked = " ".join(self._redactor.text(reason).split())
        return masked if len(masked) <= LONGEST_REASON else f"{masked[:LONGEST_REASON]}…"

    def _late(self, name: str, state: str, limit_seconds: float, reason: str) -> HostctlError:
        """Return the error of a container that is not in its state in time."""
        shown = self._shown(reason)
        return self._failed(
            "candidate_not_ready", name, f"{name} was not {state} within {limit_seconds:g} seconds: {shown}"
        )

    def _failed(self, code: str, name: str, message: str) -> HostctlError:
        """Return the error with the container's last log lines."""
        return HostctlError(code, message, container=name, logs=self._engine.log_tail(name, LOG_LINES))
