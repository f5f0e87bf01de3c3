"""How a run of a workflow went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One step: `skipped`, `success` or `failure`, and what it printed, secrets masked."""

    name: str
    outcome: str
    log: str = ""


@dataclass(slots=True, kw_only=True)
class JobResult:
    """One job with its steps, outputs and summary; `leaks` names secrets that stood in a log before it was masked."""

    name: str
    result: str = "success"
    steps: list[StepResult] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    leaks: set[str] = field(default_factory=set)

    def step(self, name: str) -> StepResult:
        """Return the step of that name."""
        return next(step for step in self.steps if step.name == name)

    def __str__(self) -> str:
        """Return the steps and the log of those that failed."""
        lines = [f"{self.name}: {self.result}"]
        for step in self.steps:
            lines.append(f"  {step.outcome:8} {step.name}")
            lines += [f"    {line}" for line in step.log.splitlines()[-30:] if step.outcome == "failure"]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """All jobs of a run, in the order in which they ran."""

    jobs: Mapping[str, JobResult]

    @property
    def outcomes(self) -> dict[str, str]:
        """Return how each job ended."""
        return {name: job.result for name, job in self.jobs.items()}

    @property
    def leaks(self) -> set[str]:
        """Return the names of secrets that any log showed."""
        return {name for job in self.jobs.values() for name in job.leaks}

    def __str__(self) -> str:
        """Return all jobs in words."""
        return "\n".join(map(str, self.jobs.values()))
