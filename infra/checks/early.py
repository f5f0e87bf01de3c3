"""The smoke test's job for the agents, handed in before all else: the model thinks while readiness is proven."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from infra.checks.agents import JOBS, start_job
from infra.checks.cleanup import CLEANUP_SECONDS, clean_up
from infra.checks.document import make_text
from infra.checks.inquiry import inquiring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.checks.inquiry import Inquiry
    from infra.checks.result import CheckResult
    from infra.checks.subject import Subject
    from infra.checks.target import Target

HAND_IN_SECONDS = 5.0


def hand_in_jobs(subject: Subject) -> dict[str, str]:
    """Hand a job in to the agents of every host and return its id by host; one that is not taken is left out.

    No verdict comes of it: the smoke test asks again where there is no job to follow.
    """
    return asyncio.run(_hand_in(subject))


def take_back_jobs(subject: Subject, jobs: Mapping[str, str]) -> list[CheckResult]:
    """Remove jobs that no smoke test came for; return a warning for each that stays behind."""
    return asyncio.run(_take_back(subject, jobs))


async def _hand_in(subject: Subject) -> dict[str, str]:
    async with inquiring(subject, passes=1, timeout_seconds=HAND_IN_SECONDS) as inquiry:
        found = await asyncio.gather(*(_hand_in_at(inquiry, target) for target in _agents(inquiry)))
    return {host: job_id for host, job_id in found if job_id}


async def _hand_in_at(inquiry: Inquiry, target: Target) -> tuple[str, str | None]:
    job = await start_job(inquiry, target, make_text()[0])
    return target.host, job.id


async def _take_back(subject: Subject, jobs: Mapping[str, str]) -> list[CheckResult]:
    async with inquiring(subject, passes=1, timeout_seconds=CLEANUP_SECONDS) as inquiry:
        targets = [target for target in _agents(inquiry) if target.host in jobs]
        return await clean_up(inquiry, [(target, f"{JOBS}/{jobs[target.host]}") for target in targets])


def _agents(inquiry: Inquiry) -> list[Target]:
    return inquiry.subject.targets_of(inquiry.settings.checks.agents_service)
