from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.result import CheckResult
from infra.checks.suite import Examination
from tests.support.fake_witness import FakeCertification, FakeWitness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.checks.occasion import Occasion
    from infra.checks.subject import Subject
    from infra.checks.target import Target
    from infra.settings.suite import Severity


@dataclass(slots=True, kw_only=True)
class Probes:
    """Stands for checks over the network: which targets fail and how badly, and who was asked on which occasion."""

    failing: set[str] = field(default_factory=set)
    severity: Severity = "critical"
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    occasions: list[Occasion] = field(default_factory=list)
    subjects: list[Subject] = field(default_factory=list)

    def examine(
        self,
        subject: Subject,
        occasion: Occasion,
        *,
        on_quiet: Callable[[Sequence[CheckResult]], None] = lambda _: None,
    ) -> Examination:
        """Answer at once for readiness and health; a target fails when its name begins with one of `failing`."""
        self.occasions.append(occasion)
        self.subjects.append(subject)
        results = []
        for target in subject.targets:
            for check in ("readiness", "health"):
                self.asked.append((target.name, target.release))
                results.append(self._result(check, target))
        on_quiet(results)
        return Examination(results=tuple(results), jobs={"h1": "job-1"} if occasion.keeps_jobs else {})

    def _result(self, check: str, target: Target) -> CheckResult:
        passed = not any(target.name.startswith(name) or target.release == name for name in self.failing)
        return CheckResult(
            check=check,
            target=target.name,
            passed=passed,
            asked=f"GET /{check}",
            came="status 503",
            seconds=0.1,
            dependencies=() if passed else (target.service_name,),
            severity=self.severity,
        )


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch, witness: FakeWitness, certification: FakeCertification) -> Probes:
    """Replace the network: checks answer as told, tunnels lead nowhere, and nothing is watched."""
    fake = Probes()

    @contextlib.contextmanager
    def forwarded(client: HostctlClient, remote_ports: Mapping[str, int]) -> Iterator[dict[str, int]]:
        yield {name: port + 20_000 for name, port in remote_ports.items()}

    monkeypatch.setattr("infra.rollout.verification.examine", fake.examine)
    monkeypatch.setattr("infra.checks.subject.forwarded", forwarded)
    return fake


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> FakeWitness:
    """Replace what watches the driver."""
    fake = FakeWitness()
    monkeypatch.setattr("infra.rollout.driver.Witness", fake)
    return fake


@pytest.fixture
def certification(monkeypatch: pytest.MonkeyPatch) -> FakeCertification:
    """Replace the certificate's probe in the preflight."""
    fake = FakeCertification()
    monkeypatch.setattr("infra.rollout.preflight.Certification", fake)
    return fake


@pytest.fixture
def shown() -> list[str]:
    """Return the list that keeps the lines shown to the user."""
    return []


def text_of(value: Any) -> str:
    """Return all that is visible of a report or an error."""
    return f"{value!r} {value}"
