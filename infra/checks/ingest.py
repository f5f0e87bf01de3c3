"""Checks of the ingest service and of what stands behind it, by one document that goes through all of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from infra.checks.blame import DATABASE, VECTOR_STORE
from infra.checks.document import SEARCH, Trip, has_results, travel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.checks.inquiry import Inquiry
    from infra.checks.result import CheckResult
    from infra.checks.target import Target

STARTUP = "/health/startup"


async def check_ingest(inquiry: Inquiry) -> list[CheckResult]:
    """A pasted document is taken, and its job can be followed."""
    return await _each(inquiry, _ingest)


async def check_database(inquiry: Inquiry) -> list[CheckResult]:
    """The app says that its schema is ready, and a row it wrote can be read."""
    return await _each(inquiry, _database)


async def check_queue(inquiry: Inquiry) -> list[CheckResult]:
    """A document goes through the queue in Redis and is completed by a worker."""
    return await _each(inquiry, _queue)


async def check_search(inquiry: Inquiry) -> list[CheckResult]:
    """Search answers in its own shape, whatever it finds."""
    return await _each(inquiry, _search)


async def check_vector_store(inquiry: Inquiry) -> list[CheckResult]:
    """Search finds the document that was just ingested."""
    return await _each(inquiry, _vector_store)


async def _each(inquiry: Inquiry, check: Callable[[Inquiry, Target], Awaitable[CheckResult]]) -> list[CheckResult]:
    targets = inquiry.subject.targets_of(inquiry.settings.checks.ingest_service)
    return list(await asyncio.gather(*(check(inquiry, target) for target in targets)))


async def _trip(inquiry: Inquiry, target: Target) -> Trip:
    """Return the one trip that all these checks of a target judge."""
    suite = inquiry.settings.checks.suite
    trip: Trip = await inquiry.once(
        ("trip", target.name),
        lambda: travel(
            inquiry,
            target,
            queue_seconds=suite.queue.within_seconds,
            search_seconds=suite.vector_store.within_seconds,
        ),
    )
    return trip


async def _ingest(inquiry: Inquiry, target: Target) -> CheckResult:
    trip = await _trip(inquiry, target)
    blames = (target.service_name,)
    if trip.read is None:
        came = trip.pasted.came if not trip.pasted.is_success else f"{trip.pasted.came} without a job_id"
        return trip.pasted.judged("ingest", target.name, passed=False, came=came, blames=blames)
    known = trip.read.value("status")
    came = f"taken; its job is {known}" if trip.is_kept else f"{trip.read.came}, the job's status is {known}"
    return trip.read.judged("ingest", target.name, passed=trip.is_kept, came=came, blames=blames)


async def _database(inquiry: Inquiry, target: Target) -> CheckResult:
    trip, startup = await asyncio.gather(_trip(inquiry, target), inquiry.ask(target, "GET", STARTUP))
    blames = (target.service_name,)
    tells = startup.status != httpx.codes.NOT_FOUND
    if tells and startup.value("status") != "started":
        came = f"{startup.came}, status is {startup.value('status')!r}: the schema is not said to be ready"
        return startup.judged("database", target.name, passed=False, came=came, blames=blames)
    if trip.read is None:
        came = f"nothing could be written: {trip.pasted.came}"
        return trip.pasted.judged("database", target.name, passed=False, came=came, blames=blames)
    if not trip.is_kept:
        lost = trip.read.status == httpx.codes.NOT_FOUND or trip.read.is_success
        came = f"what was written cannot be read: {trip.read.came}"
        fault = (DATABASE,) if lost else blames
        return trip.read.judged("database", target.name, passed=False, came=came, blames=fault, look_at="the database")
    came = ("schema ready" if tells else "the app does not tell its schema") + ", written and read"
    return trip.read.judged("database", target.name, passed=True, came=came, blames=())


async def _queue(inquiry: Inquiry, target: Target) -> CheckResult:
    trip = await _trip(inquiry, target)
    if trip.ended is None:
        came = f"nothing could be queued: {trip.pasted.came}"
        return trip.pasted.judged("queue", target.name, passed=False, came=came, blames=(target.service_name,))
    known = trip.ended.value("status")
    came = f"{known} in {trip.queue_seconds:.2f} s"
    if not trip.is_completed:
        error = trip.ended.value("error")
        came = f"{known} after {trip.queue_seconds:.1f} s" if known else trip.ended.came
        came += f" ({error})" if isinstance(error, str) and error else ""
    return trip.ended.judged(
        "queue",
        target.name,
        passed=trip.is_completed,
        came=came,
        blames=workers(inquiry) if trip.ended.is_success else (target.service_name,),
        look_at=f"the worker's log: `acp-release status --stack {inquiry.settings.stack}` has its containers",
        seconds=trip.queue_seconds,
    )


async def _search(inquiry: Inquiry, target: Target) -> CheckResult:
    answer = await inquiry.ask(target, "POST", SEARCH, json={"query": "what was released", "limit": 1})
    passed, results = has_results(answer), answer.value("results")
    came = f"{len(results)} results" if passed else f"{answer.came}, results: {type(results).__name__}"
    return answer.judged("search", target.name, passed=passed, came=came, blames=(target.service_name,))


async def _vector_store(inquiry: Inquiry, target: Target) -> CheckResult:
    trip = await _trip(inquiry, target)
    if trip.searched is None:
        missing = trip.ended or trip.pasted
        blames = workers(inquiry) if trip.ended and trip.ended.is_success else (target.service_name,)
        came = "there is nothing to find: the document was not completed"
        return missing.judged("vector_store", target.name, passed=False, came=came, blames=blames)
    if not has_results(trip.searched):
        return trip.searched.judged("vector_store", target.name, passed=False, blames=(target.service_name,))
    came = "found" if trip.is_found else f"not found in {trip.search_seconds:.1f} s"
    return trip.searched.judged(
        "vector_store",
        target.name,
        passed=trip.is_found,
        came=came,
        blames=(VECTOR_STORE,),
        look_at="the vector store, and what the worker logged for the document",
        seconds=trip.search_seconds,
    )


def workers(inquiry: Inquiry) -> tuple[str, ...]:
    """Return the services that work on the queue; a stack that names none has them in the ingest service."""
    names = tuple(name for name, service in inquiry.settings.services.items() if service.role == "worker")
    return names or (inquiry.settings.checks.ingest_service,)
