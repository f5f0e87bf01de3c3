"""Constant traffic on both services while something happens, and what of it was lost when."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import uvloop

from infra.checks.prober import Prober, ProbeRequest
from infra.domain.certificate import Answer, Certificate, certify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.settings.model import Host

INGEST_PORT = 8000
AGENTS_PORT = 8001
RATE = 100.0
"""Requests per second over both services: 50 on each."""
LIGHT_RATE = 40.0
"""The same where the traffic shows that nothing is lost beside what the test is about."""

SEARCH = {"query": "what does the release do", "limit": 1}
UNREPEATABLE = "paste"
"""The name of the requests that may not be sent twice."""
PASTE = {"text": "A document that the traffic pastes.", "origin": "traffic", "sensitivity": "public"}
READY_SECONDS = 20.0
SETTLE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Downtime:
    """A time in which a fault had taken the edge, the engine or the host itself away (seconds since the epoch)."""

    start: float
    end: float

    def covers(self, answer: Answer) -> bool:
        """Whether a request was under way in it."""
        return answer.at <= self.end and answer.at + answer.milliseconds / 1000 >= self.start


def requests(host: Host, *, search: bool = True, paste: bool = False) -> list[ProbeRequest]:
    """Return a round of requests, half of them to each service; `paste` adds one that is not safe to repeat."""
    ingest = f"http://{host.reach(INGEST_PORT)}"
    agents = f"http://{host.reach(AGENTS_PORT)}"
    third = ProbeRequest(name="info", method="GET", url=f"{ingest}/api/v1/info")
    if search:
        third = ProbeRequest(name="search", method="POST", url=f"{ingest}/api/v1/search", json=SEARCH)
    fifth = ProbeRequest(name="ingest", method="GET", url=f"{ingest}/version")
    if paste:
        fifth = ProbeRequest(name=UNREPEATABLE, method="POST", url=f"{ingest}/api/v1/ingest/paste", json=PASTE)
    front = [
        ProbeRequest(name="ingest", method="GET", url=f"{ingest}/version"),
        ProbeRequest(name="ingest", method="GET", url=f"{ingest}/version"),
        third,
        ProbeRequest(name="ingest", method="GET", url=f"{ingest}/version"),
        fifth,
    ]
    back = ProbeRequest(name="agents", method="GET", url=f"{agents}/version")
    return [request for first in front for request in (first, back)]


@contextlib.contextmanager
def traffic(host: Host, *, rate: float = RATE, search: bool = True, paste: bool = False) -> Iterator[Prober]:
    """Send requests at a constant rate while the context is open; waits first until both services answer."""
    wait_answering(host)
    with sending(requests(host, search=search, paste=paste), rate=rate) as prober:
        time.sleep(SETTLE_SECONDS)
        yield prober
        time.sleep(SETTLE_SECONDS)


@contextlib.contextmanager
def sending(asked: Sequence[ProbeRequest], *, rate: float) -> Iterator[Prober]:
    """Send requests in turn, `rate` per second over all of them, ahead of whatever else wants the processors.

    Users have machines of their own: what their stand-in waits for a processor is nothing that a server did.
    """
    with Prober(asked, rate=rate, new_loop=uvloop.new_event_loop) as prober:
        assert prober.thread_id is not None
        with contextlib.suppress(PermissionError):  # the right to do so is root's
            os.sched_setscheduler(prober.thread_id, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        yield prober


def wait_answering(host: Host, *, timeout_seconds: float = READY_SECONDS) -> None:
    """Wait until both public ports answer; raise `AssertionError` when they do not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not answering(host):
        assert time.monotonic() < deadline, f"{host.name} does not answer on its public ports"
        time.sleep(0.1)


def answering(host: Host) -> bool:
    """Say whether both public ports answer with success."""
    return all(release_at(host, port) is not None for port in (INGEST_PORT, AGENTS_PORT))


def release_at(host: Host, port: int) -> str | None:
    """Return the release that answers on a public port, None when there is no good answer."""
    try:
        response = httpx.get(f"http://{host.reach(port)}/version", timeout=3.0)
    except httpx.HTTPError:
        return None
    return response.headers.get("X-ACP-Release") if response.is_success else None


def told_health(host: Host, port: int) -> str | None:
    """Return what a service says of itself, None without an answer."""
    try:
        status: str | None = httpx.get(f"http://{host.reach(port)}/health", timeout=5.0).json().get("status")
    except (httpx.HTTPError, ValueError):
        return None
    return status


def wait_health(host: Host, port: int, *, healthy: bool, timeout_seconds: float = READY_SECONDS * 2) -> None:
    """Wait until a service says that it is healthy, or that it is not; raise `AssertionError` when it does not."""
    deadline = time.monotonic() + timeout_seconds
    while (told_health(host, port) == "healthy") != healthy:
        assert time.monotonic() < deadline, f"{host.name} does not say healthy={healthy} on port {port}"
        time.sleep(0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What was lost: in all, in down times, and of the rest, which is shown in words, what may not be sent twice."""

    sent: int
    lost: int
    in_downtime: int
    unrepeatable: int
    certificate: Certificate
    shown: tuple[str, ...] = ()

    @property
    def outside(self) -> int:
        """Lost requests that no down time explains."""
        return self.lost - self.in_downtime


def loss(answers: Sequence[Answer], downtimes: Sequence[Downtime] = ()) -> Loss:
    """Return what of `answers` was lost."""
    lost = [answer for answer in answers if answer.lost]
    covered = [answer for answer in lost if any(downtime.covers(answer) for downtime in downtimes)]
    outside = [answer for answer in lost if answer not in covered]
    return Loss(
        sent=len(answers),
        lost=len(lost),
        in_downtime=len(covered),
        unrepeatable=sum(answer.name == UNREPEATABLE for answer in outside),
        certificate=certify(answers),
        shown=tuple(_shown(answer) for answer in outside),
    )


def _shown(answer: Answer) -> str:
    """Return a lost request in words, with the time the journal of a host would have (UTC)."""
    at = time.strftime("%H:%M:%S", time.gmtime(answer.at)) + f"{answer.at % 1:.3f}"[1:]
    return f"{at} {answer.name} {answer.lost} after {answer.milliseconds:.0f} ms by {answer.release or 'the edge'}"


def use(host: Host, *, timeout_seconds: float = 60.0) -> dict[str, Any]:
    """Use the app for real: paste a document, find it by search, let an agents job answer; return what came back."""
    mark = f"mark{time.time_ns()}"
    ingest, agents = (f"http://{host.reach(port)}" for port in (INGEST_PORT, AGENTS_PORT))
    with httpx.Client(timeout=timeout_seconds) as client:
        pasted = client.post(f"{ingest}/api/v1/ingest/paste", json={**PASTE, "text": f"The word is {mark}."})
        pasted.raise_for_status()
        job_id = pasted.json()["job_id"]
        document = _poll(client, f"{ingest}/api/v1/ingest/status/{job_id}", timeout_seconds)
        found = client.post(f"{ingest}/api/v1/search", json={"query": mark, "filters": {"job_id": job_id}})
        asked = client.post(f"{agents}/api/v1/jobs", json={"question": mark, "rounds": 1, "pace_seconds": 0})
        asked.raise_for_status()
        results = f"{agents}/api/v1/jobs/{asked.json()['job_id']}/results"
        answered = client.get(results, params={"wait_seconds": int(timeout_seconds) - 1})
    return {
        "mark": mark,
        "ingested": document["status"],
        "found": [hit["chunk"]["content"] for hit in found.json()["results"]],
        "job": answered.json(),
        "releases": {pasted.headers["X-ACP-Release"], asked.headers["X-ACP-Release"]},
    }


def _poll(client: httpx.Client, url: str, timeout_seconds: float) -> dict[str, Any]:
    """Return a job when it has ended; raise `AssertionError` when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        job: dict[str, Any] = client.get(url).json()
        if job["status"] in {"completed", "failed"}:
            return job
        assert time.monotonic() < deadline, f"the job is still {job['status']} after {timeout_seconds:g} s"
        time.sleep(0.2)
