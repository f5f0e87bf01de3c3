"""The smoke test: a user's path from a pasted document over search to an answer of the agents, on every host."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from infra.checks.agents import AgentsJob, answered_job, found_job
from infra.checks.blame import VECTOR_STORE
from infra.checks.document import Trip, has_results, make_text, travel
from infra.checks.ingest import workers

if TYPE_CHECKING:
    from infra.checks.inquiry import Inquiry
    from infra.checks.result import CheckResult
    from infra.checks.target import Target

PASTE, INGESTED, SEARCH, AGENTS = "smoke paste", "smoke ingest", "smoke search", "smoke agents"


async def walk_documents(inquiry: Inquiry) -> list[CheckResult]:
    """Walk the way of a document on every host."""
    targets = inquiry.subject.targets_of(inquiry.settings.checks.ingest_service)
    found = await asyncio.gather(*(_documents(inquiry, target) for target in targets))
    return [result for results in found for result in results]


async def ask_agents(inquiry: Inquiry) -> list[CheckResult]:
    """Have the agents of every host answer; most of the time this waits for the model."""
    targets = inquiry.subject.targets_of(inquiry.settings.checks.agents_service)
    found = await asyncio.gather(*(_answer(inquiry, target) for target in targets))
    return [result for results in found for result in results]


async def _documents(inquiry: Inquiry, target: Target) -> list[CheckResult]:
    seconds = inquiry.settings.checks.smoke.within_seconds
    trip = await travel(inquiry, target, queue_seconds=seconds, search_seconds=seconds)
    return judge_trip(trip, target, workers(inquiry))


def judge_trip(trip: Trip, target: Target, queue_blames: tuple[str, ...]) -> list[CheckResult]:
    """Return a result for each part of the path that was reached; the first that failed is the last."""
    service, name = (target.service_name,), target.name
    results = [
        trip.pasted.judged(
            PASTE, name, passed=trip.is_accepted, came="taken" if trip.is_accepted else "", blames=service
        )
    ]
    if trip.ended is None:
        return results
    known = trip.ended.value("status")
    came = f"{known} after {trip.queue_seconds:.2f} s" if known else ""
    blames = queue_blames if trip.ended.is_success else service
    results.append(
        trip.ended.judged(
            INGESTED, name, passed=trip.is_completed, came=came, blames=blames, seconds=trip.queue_seconds
        )
    )
    if trip.searched is None:
        return results
    came = "found" if trip.is_found else f"{trip.searched.came}, not found in {trip.search_seconds:.1f} s"
    blames = (VECTOR_STORE,) if has_results(trip.searched) else service
    results.append(
        trip.searched.judged(SEARCH, name, passed=trip.is_found, came=came, blames=blames, seconds=trip.search_seconds)
    )
    return results


async def _answer(inquiry: Inquiry, target: Target) -> list[CheckResult]:
    """Return whether the agents answer: a new job, or one that the candidate answered, asked for again in public."""
    answered = inquiry.subject.jobs.get(target.host)
    if answered:
        return [await _asked_again(inquiry, target, answered)]
    seconds = inquiry.settings.checks.smoke.within_seconds
    handed_in = inquiry.subject.handed_in.get(target.host)
    job = await answered_job(inquiry, target, make_text()[0], within_seconds=seconds, handed_in=handed_in)
    if job.is_answered and job.id:
        inquiry.answered[target.host] = job.id
    return [judge_job(job, target)]


def judge_job(job: AgentsJob, target: Target) -> CheckResult:
    """Return the result of a job that was given its time."""
    last = job.last or job.taken
    came = f"{job.status} after {job.seconds:.1f} s" if job.status else last.came
    return last.judged(
        AGENTS,
        target.name,
        passed=job.is_answered,
        came=came,
        blames=(target.service_name,),
        look_at=job.look_at,
        seconds=job.seconds,
    )


async def _asked_again(inquiry: Inquiry, target: Target, job_id: str) -> CheckResult:
    job = await found_job(inquiry, target, job_id)
    came = f"the candidate's answer: {job.status}" if job.status else ""
    return job.taken.judged(AGENTS, target.name, passed=job.is_answered, came=came, blames=(target.service_name,))
