from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.checks.health import Probe
    from infra.settings.checks import Checks
    from infra.settings.model import Host


@dataclass(slots=True, kw_only=True)
class Probes:
    """Stands for health checks over the network: which targets fail, and who was asked."""

    failing: set[str] = field(default_factory=set)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    settings: list[Checks] = field(default_factory=list)

    def run(self, probes: Sequence[Probe], settings: Checks) -> list[CheckResult]:
        """Answer at once; a target fails when its name begins with one of `failing`."""
        self.asked += [(probe.target.name, probe.target.release) for probe in probes]
        self.settings.append(settings)
        return [
            CheckResult(
                check=probe.check,
                target=probe.target.name,
                passed=not any(self._is_about(probe, name) for name in self.failing),
                asked=f"GET {probe.path}",
                came="status 503",
                seconds=0.1,
            )
            for probe in probes
        ]

    @staticmethod
    def _is_about(probe: Probe, name: str) -> bool:
        return probe.target.name.startswith(name) or probe.target.release == name


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Probes:
    """Replace the network: probes answer as told, and tunnels lead nowhere."""
    fake = Probes()

    @contextlib.contextmanager
    def forwarded(host: Host, key_file: str, remote_ports: Mapping[str, int]) -> Iterator[dict[str, int]]:
        yield {name: port + 20_000 for name, port in remote_ports.items()}

    for module in ("infra.rollout.driver", "infra.rollout.preflight"):
        monkeypatch.setattr(f"{module}.run_probes", fake.run)
    monkeypatch.setattr("infra.rollout.driver.forwarded", forwarded)
    return fake


@pytest.fixture
def shown() -> list[str]:
    """Return the list that keeps the lines shown to the user."""
    return []


def text_of(value: Any) -> str:
    """Return all that is visible of a report or an error."""
    return f"{value!r} {value}"
