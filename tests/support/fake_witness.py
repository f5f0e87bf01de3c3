"""Stands for what watches a rollout from beside it, for tests of the driver and the preflight alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.errors import ReleaseError


@dataclass(slots=True, kw_only=True)
class FakeWitness:
    """A witness that saw what it is told: `absent` is raised at first, `early` before the commit, `late` at last."""

    absent: ReleaseError | None = None
    early: ReleaseError | None = None
    late: ReleaseError | None = None
    calls: list[str] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    served: list[str] = field(default_factory=list)

    def __call__(self, *_arguments: object) -> Self:
        """Stand for the class too."""
        return self

    def __enter__(self) -> Self:
        self.calls.append("begin")
        return self

    def __exit__(self, *_exception: object) -> None:
        self.calls.append("end")

    def begin(self) -> None:
        """Begin."""
        self.calls.append("watch")
        if self.absent:
            raise self.absent

    def served_before(self, hosts: Iterable[str]) -> None:
        """Remember where the release served before, if anywhere."""
        self.served = sorted(hosts)

    def require_good(self) -> None:
        """Judge as told."""
        self.calls.append("judge")
        if self.early:
            raise self.early

    def released(self, report: dict[str, Any]) -> dict[str, Any]:
        """Report as told."""
        self.reports.append(report)
        if self.late:
            raise self.late
        return {**report, "certificate": {"sent": 100}}

    def failed(self, report: dict[str, Any], error: ReleaseError) -> None:
        """Remember why."""
        self.reports.append({**report, "reason": error.what})


@dataclass(slots=True, kw_only=True)
class FakeCertification:
    """A probe that starts as told, for the preflight."""

    refusal: ReleaseError | None = None
    calls: list[str] = field(default_factory=list)

    def __call__(self, *, context: object) -> Self:
        """Stand for the class too."""
        return self

    def start(self) -> None:
        """Remember the start."""
        self.calls.append("start")

    def wait_running(self) -> None:
        """Run, or fail as told."""
        self.calls.append("running")
        if self.refusal:
            raise self.refusal

    def abandon(self) -> None:
        """Remember the end."""
        self.calls.append("abandon")
