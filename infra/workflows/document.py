"""A workflow file as data: what its rules and its tests look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One file: its text, and its content with every scalar as text (`on` and `true` would be booleans else)."""

    name: str
    text: str
    content: Mapping[str, Any]

    @property
    def jobs(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the jobs by id."""
        jobs: Mapping[str, Mapping[str, Any]] = self.content.get("jobs") or {}
        return jobs

    @property
    def triggers(self) -> tuple[str, ...]:
        """Return the events that start it."""
        events = self.content.get("on") or ()
        return (events,) if isinstance(events, str) else tuple(events)

    def steps(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield every step with its place in words."""
        for job_id, job in self.jobs.items():
            for index, step in enumerate(job.get("steps") or (), start=1):
                yield f"{self.name}: {job_id}, step {index}", step


def read_workflow(path: Path) -> Workflow:
    """Return a workflow; actionlint has judged its syntax before."""
    text = path.read_text(encoding="utf-8")
    content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text, lists and mappings
    return Workflow(name=path.name, text=text, content=content if isinstance(content, dict) else {})


def texts(value: object) -> Iterator[str]:
    """Yield every text inside a part of a workflow."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
