"""The checks by name, and one run of them: side by side, each with a deadline."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from infra.adapters.process import redact
from infra.checks.agents import check_agents
from infra.checks.blame import diagnose, relations
from infra.checks.cleanup import CLEANUP_SECONDS, clean_up
from infra.checks.disk_space import check_disk_space
from infra.checks.health import check_health, check_readiness
from infra.checks.ingest import check_database, check_ingest, check_queue, check_search, check_vector_store
from infra.checks.inquiry import Inquiry, inquiring
from infra.checks.model_endpoints import check_embedding_endpoint, check_llm_endpoint, is_one_server
from infra.checks.public import check_metrics, check_redirect
from infra.checks.replicas import check_replicas
from infra.checks.result import CheckResult
from infra.checks.smoke import AGENTS, ask_agents, walk_documents
from infra.checks.tls import check_tls
from infra.checks.version import check_version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from infra.checks.occasion import Occasion
    from infra.checks.subject import Subject
    from infra.checks.target import Target

    Check = Callable[[Inquiry], Awaitable[list[CheckResult]]]

MOST_AT_ONCE = 32

CHECKS: dict[str, Check] = {
    "replicas": check_replicas,
    "readiness": check_readiness,
    "health": check_health,
    "version": check_version,
    "ingest": check_ingest,
    "database": check_database,
    "queue": check_queue,
    "search": check_search,
    "vector_store": check_vector_store,
    "agents": check_agents,
    "llm_endpoint": check_llm_endpoint,
    "embedding_endpoint": check_embedding_endpoint,
    "disk_space": check_disk_space,
    "tls": check_tls,
    "metrics": check_metrics,
    "redirect": check_redirect,
}
"""Every check that `checks.suite` has."""

SMOKE: dict[str, Check] = {"smoke documents": walk_documents, AGENTS: ask_agents}
"""The parts of the smoke test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What a run found; `jobs` has the job that the agents answered, by host, where it was kept."""

    results: tuple[CheckResult, ...]
    jobs: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def examine(
    subject: Subject, occasion: Occasion, *, on_quiet: Callable[[Sequence[CheckResult]], None] = lambda _: None
) -> Examination:
    """Ask everything of the occasion side by side and return what came, with what is at fault.

    `on_quiet` is called, with the results so far, when nothing but the answer of the agents is waited for.
    """
    return asyncio.run(_examine(subject, occasion, on_quiet))


async def _examine(
    subject: Subject, occasion: Occasion, on_quiet: Callable[[Sequence[CheckResult]], None]
) -> Examination:
    start, settings = time.monotonic(), subject.settings
    limit = occasion.limit_seconds(settings.checks)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=MOST_AT_ONCE))
    passes = occasion.passes or settings.checks.passes
    async with inquiring(subject, passes=passes, timeout_seconds=limit) as inquiry:
        wanted = _wanted(subject, occasion)
        tasks = {name: asyncio.create_task(_run(inquiry, name, check, limit)) for name, check in wanted.items()}
        found = await asyncio.gather(*(task for name, task in tasks.items() if name != AGENTS))
        on_quiet([result for results in found for result in results])
        results = [result for task in tasks.values() for result in await task]
        is_good = not any(result.fails_release for result in results)
        jobs = inquiry.answered if occasion.keeps_jobs and is_good else {}
        # The checks may have used up their time: what they made is removed all the same.
        results += await clean_up(
            Inquiry(subject, inquiry.http, passes=1, timeout_seconds=CLEANUP_SECONDS), _to_remove(inquiry.made, jobs)
        )
    known = relations(settings, one_model=is_one_server(subject.secrets))
    # The app's own words may quote what it was given.
    shown = [replace(result, came=redact(result.came, subject.secrets.values())) for result in results]
    return Examination(results=tuple(diagnose(shown, known)), jobs=jobs, seconds=time.monotonic() - start)


def _to_remove(made: list[tuple[Target, str]], jobs: Mapping[str, str]) -> list[tuple[Target, str]]:
    """Return all that was made but the jobs that are kept."""
    return [(target, path) for target, path in made if path.rpartition("/")[2] not in jobs.values()]


def _wanted(subject: Subject, occasion: Occasion) -> dict[str, Check]:
    """Return the checks that the occasion asks and the stack does not ignore."""
    suite = subject.settings.checks.suite
    wanted = {name: CHECKS[name] for name in occasion.checks if suite.check(name).severity != "ignore"}
    return {**wanted, **SMOKE} if occasion.walks else wanted


async def _run(inquiry: Inquiry, name: str, check: Check, limit_seconds: float) -> list[CheckResult]:
    """Run one check within the time; one that breaks is a failure of what it was to judge, never a pass."""
    start = time.monotonic()
    try:
        async with asyncio.timeout(limit_seconds + CLEANUP_SECONDS):
            results = await check(inquiry)
    except TimeoutError:
        results = [_broken(name, f"no verdict in {time.monotonic() - start:.0f} s")]
    except Exception as error:  # noqa: BLE001 - a bug in one check must neither hide the others nor pass
        results = [_broken(name, f"the check itself failed: {type(error).__name__}")]
    if name in SMOKE:
        return results
    severity = inquiry.settings.checks.suite.check(name).severity
    return [replace(result, severity=severity) for result in results]


def _broken(name: str, came: str) -> CheckResult:
    return CheckResult(
        check=name,
        target="the stack",
        passed=False,
        asked=name,
        came=came,
        seconds=0.0,
        look_at="a bug of the check, not of the release",
        dependencies=(name,),
    )
