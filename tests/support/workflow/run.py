"""A whole run: which jobs run, in which order, with which secrets, approved or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.workflow.expressions import Scope, condition, interpolate
from tests.support.workflow.job import Job
from tests.support.workflow.results import JobResult, RunResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from infra.workflows.document import Workflow
    from tests.support.workflow.job import Equivalent

ENDED_WELL = ("success",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a run happens: the repository's settings on GitHub, and what stands for a runner.

    `environments` has the secrets of each Environment, `rejected` those whose reviewers say no, `cancelled` the jobs
    that another run's job pushed out while they waited; `before` is called when a job is about to run, as the world
    goes on while a run waits.
    """

    folder: Path
    environments: Mapping[str, Mapping[str, str]]
    variables: Mapping[str, str]
    token: str
    runner: Mapping[str, str]
    equivalents: Mapping[str, Equivalent]
    rejected: frozenset[str] = frozenset()
    cancelled: frozenset[str] = frozenset()
    before: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    token_name: str = "GITHUB_TOKEN"


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a workflow."""

    workflow: Workflow
    setting: Setting
    github: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    done: dict[str, JobResult] = field(default_factory=dict)

    def complete(self) -> RunResult:
        """Run all jobs in the order of their needs and return how it went."""
        self._refuse_unknown_inputs()
        waiting = dict(self.workflow.jobs)
        while waiting:
            ready = [name for name, job in waiting.items() if set(_needs(job)) <= set(self.done)]
            assert ready, f"jobs that wait for each other: {sorted(waiting)}"
            for name in ready:
                self.done[name] = self._job(name, waiting.pop(name))
        return RunResult(jobs=self.done)

    def _job(self, name: str, job: Mapping[str, Any]) -> JobResult:
        scope = Scope(contexts=self._contexts(job, {}), functions=self._status(job))
        if not condition(job.get("if"), scope):
            return JobResult(name=name, result="skipped")
        if name in self.setting.cancelled:
            return JobResult(name=name, result="cancelled")
        environment = interpolate(str(job.get("environment") or ""), scope)
        self.setting.before.get(name, lambda: None)()
        if environment in self.setting.rejected:
            return JobResult(name=name, result="failure")
        secrets = self.setting.environments[environment] if environment else {}
        runner = Job(
            name=name,
            content=job,
            folder=self.setting.folder / f"{len(self.done):02}-{name}",
            contexts=self._contexts(job, secrets),
            environment=dict(self.setting.runner),
            secrets={**secrets, self.setting.token_name: self.setting.token},
            equivalents=self.setting.equivalents,
        )
        return runner.run()

    def _contexts(self, job: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
        needs = {name: {"result": self.done[name].result, "outputs": self.done[name].outputs} for name in _needs(job)}
        return {
            "github": {**self.github, "token": self.setting.token},
            "inputs": dict(self.inputs),
            "vars": dict(self.setting.variables),
            "secrets": dict(secrets),
            "needs": needs,
        }

    def _status(self, job: Mapping[str, Any]) -> dict[str, Callable[[], bool]]:
        results = [self.done[name].result for name in self._ancestors(_needs(job))]
        direct = [self.done[name].result for name in _needs(job)]
        return {
            "success": lambda: all(result in ENDED_WELL for result in direct),
            "failure": lambda: "failure" in results,
            "cancelled": lambda: False,
            "always": lambda: True,
        }

    def _ancestors(self, names: Iterable[str]) -> set[str]:
        found = set(names)
        for name in list(found):
            found |= self._ancestors(_needs(self.workflow.jobs[name]))
        return found

    def _refuse_unknown_inputs(self) -> None:
        """Hold a dispatch to its declared inputs and choices, as GitHub does before anything runs."""
        dispatch = (self.workflow.content["on"].get("workflow_dispatch") or {}) if self.inputs else {}
        declared = dispatch.get("inputs") or {}
        for name, value in self.inputs.items():
            assert name in declared, f"there is no input {name}"
            assert value in declared[name].get("options", [value]), f"{value} is no choice of {name}"


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs") or []
    return [needs] if isinstance(needs, str) else list(needs)
