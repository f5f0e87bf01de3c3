"""What the probe's process and the driver tell each other, as small files without a secret: plan, state, result."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from infra.checks.prober import ProbeRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the probe asks and how fast, which process it must not outlive, and the report it makes if it has to.

    `authority` is the file of an authority that vouches for the hosts beside the system's.
    """

    requests: Sequence[ProbeRequest]
    rate: float
    slow_ms: float
    max_seconds: float
    engine_pid: int
    engine_created: float
    document: dict[str, Any]
    authority: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How the probe stands: its process, whether it sends, and what it counted up to a moment (since the epoch)."""

    pid: int
    created: float
    at: float
    running: bool = False
    answered: int = 0
    failed: int = 0
    losses: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFiles:
    """The files of one probe."""

    folder: Path

    @property
    def _plan(self) -> Path:
        return self.folder / "plan.json"

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    @property
    def _result(self) -> Path:
        return self.folder / "result.json"

    def write_plan(self, plan: Plan) -> None:
        """Write the plan; nothing is left of an earlier probe."""
        self.remove()
        self.folder.mkdir(parents=True)
        write_json(self._plan, asdict(plan))

    def read_plan(self) -> Plan:
        """Return the plan."""
        content = json.loads(self._plan.read_text(encoding="utf-8"))
        return Plan(**{**content, "requests": [ProbeRequest(**request) for request in content["requests"]]})

    def write_state(self, state: State) -> None:
        """Write the state."""
        write_json(self._state, asdict(state))

    def read_state(self) -> State | None:
        """Return the state, None while there is none."""
        content = _read(self._state)
        return State(**content) if content else None

    def write_result(self, certificate: dict[str, Any]) -> None:
        """Write the certificate, which ends the probe."""
        write_json(self._result, certificate)

    def read_result(self) -> dict[str, Any] | None:
        """Return the certificate, None while there is none."""
        return _read(self._result)

    def remove(self) -> None:
        """Remove all of them, also what a probe that was killed has left half-written."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file as a whole or not at all."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(json.dumps(content), encoding="utf-8")
    fresh.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content
