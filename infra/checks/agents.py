"""An agents job: taken, followed, and answered where there is time for that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx

from infra.checks.ask import LOG
from infra.checks.document import job_id, make_text
from infra.domain.numbers import whole_numbers

if TYPE_CHECKING:
    from infra.checks.ask import Answer
    from infra.checks.inquiry import Inquiry
    from infra.checks.result import CheckResult
    from infra.checks.target import Target
    from infra.settings.suite import Smoke

JOBS = "/api/v1/jobs"
REFUSED = f"{LOG}; does the app take the body `acp:checks.smoke.job`?"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsJob:
    """How far a job came; `smoke` says which statuses end it."""

    smoke: Smoke
    taken: Answer
    last: Answer | None = None
    seconds: float = 0.0

    @property
    def id(self) -> str | None:
        """Return the job's id, None when it was not taken."""
        return job_id(self.taken) if self.taken.is_success else None

    @property
    def status(self) -> Any:
        """Return what the job was at last."""
        return self.last.value("status") if self.last else None

    @property
    def is_followed(self) -> bool:
        """Whether the job can be read back and has not failed."""
        if self.last is None or not self.last.is_success or self.status is None:
            return False
        return str(self.last.value("id", "job_id")) == self.id and self.status not in self.smoke.failed

    @property
    def is_answered(self) -> bool:
        """Whether the agents answered."""
        return self.is_followed and self.status in self.smoke.answered

    @property
    def look_at(self) -> str:
        """Return where to look when the job was refused, empty when it was not: the answer then says where."""
        refused = self.last is None and self.taken.status is not None and httpx.codes.is_client_error(self.taken.status)
        return REFUSED if refused else ""


async def check_agents(inquiry: Inquiry) -> list[CheckResult]:
    """A job is taken and can be followed; its answer may take minutes and is left to the smoke test."""
    targets = inquiry.subject.targets_of(inquiry.settings.checks.agents_service)
    return list(await asyncio.gather(*(_agents(inquiry, target) for target in targets)))


async def _agents(inquiry: Inquiry, target: Target) -> CheckResult:
    job = await start_job(inquiry, target, make_text()[0])
    if job.last is None:
        came = job.taken.came if not job.taken.is_success else f"{job.taken.came} without an id"
        blames = (target.service_name,)
        return job.taken.judged("agents", target.name, passed=False, came=came, blames=blames, look_at=job.look_at)
    came = f"taken; it is {job.status}" if job.is_followed else f"{job.last.came}, the job's status is {job.status}"
    return job.last.judged("agents", target.name, passed=job.is_followed, came=came, blames=(target.service_name,))


async def start_job(inquiry: Inquiry, target: Target, text: str) -> AgentsJob:
    """Hand in a job about `text` and read it back; it is taken away after all checks."""
    smoke = inquiry.settings.checks.smoke
    taken = await inquiry.ask(target, "POST", JOBS, json=filled(smoke.job, text))
    job = AgentsJob(smoke=smoke, taken=taken)
    if job.id is None:
        return job
    inquiry.made.append((target, f"{JOBS}/{job.id}"))
    return replace(job, last=await inquiry.ask(target, "GET", f"{JOBS}/{job.id}"))


async def found_job(inquiry: Inquiry, target: Target, job_id: str) -> AgentsJob:
    """Return how far a job came that was handed in before; it is taken away after all checks."""
    inquiry.made.append((target, f"{JOBS}/{job_id}"))
    last = await inquiry.ask(target, "GET", f"{JOBS}/{job_id}")
    return AgentsJob(smoke=inquiry.settings.checks.smoke, taken=last, last=last)


async def answered_job(
    inquiry: Inquiry, target: Target, text: str, *, within_seconds: float, handed_in: str | None = None
) -> AgentsJob:
    """Wait until a job is answered or has failed, at most `within_seconds`: `handed_in`, or one about `text`.

    The one that was handed in was so before the candidate was ready: where it got lost or failed, the other decides.
    """
    if handed_in:
        job = await _ended(inquiry, target, await found_job(inquiry, target, handed_in), within_seconds)
        if job.is_followed:
            return job
    return await _ended(inquiry, target, await start_job(inquiry, target, text), within_seconds)


async def _ended(inquiry: Inquiry, target: Target, job: AgentsJob, within_seconds: float) -> AgentsJob:
    """Return the job as it is when it is answered or has failed, its service does nothing but fail, or time is over."""
    if job.id is None:
        return job
    followed = await inquiry.ask_until(
        target,
        "GET",
        f"{JOBS}/{job.id}",
        lambda answer: answer.value("status") in (*job.smoke.answered, *job.smoke.failed),
        within_seconds=within_seconds,
    )
    return replace(job, last=followed.last, seconds=followed.seconds)


def filled(body: dict[str, Any], text: str) -> dict[str, Any]:
    """Return the body of a job with `text` in its place, however deep; Pulumi made floats of its whole numbers."""
    return dict(whole_numbers(_with_text(body, text)))


def _with_text(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_text(each, text) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_text(each, text) for each in value]
    return value.replace("{text}", text) if isinstance(value, str) else value
