"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check of one target: what was asked, what came, how long it took, and what to look at when it failed."""

    check: str
    target: str
    passed: bool
    asked: str
    came: str
    seconds: float
    look_at: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the result as reports and `--json` have it."""
        return {
            "check": self.check,
            "target": self.target,
            "passed": self.passed,
            "asked": self.asked,
            "came": self.came,
            "seconds": round(self.seconds, 3),
            "look_at": self.look_at,
        }

    def __str__(self) -> str:
        """Return one line for people."""
        verdict = "ok" if self.passed else "FAILED"
        tail = f"; look at {self.look_at}" if self.look_at and not self.passed else ""
        return f"{verdict} {self.check} of {self.target}: {self.asked} → {self.came} ({self.seconds:.2f} s){tail}"
