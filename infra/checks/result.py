"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.settings.suite import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check of one target: what was asked, what came, how long it took, and what to look at when it failed.

    `dependencies` are what a failure points to; `follows_from` is what explains it, when something else failed too;
    `failed_before` says that the same was down before the release began.
    """

    check: str
    target: str
    passed: bool
    asked: str
    came: str
    seconds: float
    look_at: str = ""
    dependencies: tuple[str, ...] = ()
    severity: Severity = "critical"
    follows_from: tuple[str, ...] = ()
    failed_before: bool = False

    @property
    def fails_release(self) -> bool:
        """Whether a release must not go on with this result."""
        return not self.passed and self.severity == "critical"

    @property
    def verdict(self) -> str:
        """Return the verdict in one word."""
        if self.passed:
            return "ok"
        return "FAILED" if self.severity == "critical" else "warning"

    def to_json(self) -> dict[str, Any]:
        """Return the result as reports and `--json` have it."""
        return {
            "check": self.check,
            "target": self.target,
            "passed": self.passed,
            "severity": self.severity,
            "asked": self.asked,
            "came": self.came,
            "seconds": round(self.seconds, 3),
            "look_at": self.look_at,
            "dependencies": list(self.dependencies),
            "follows_from": list(self.follows_from),
            "failed_before": self.failed_before,
        }

    def __str__(self) -> str:
        """Return one line for people."""
        tail = f"; look at {self.look_at}" if self.look_at and not self.passed else ""
        before = "; it was so before the release" if self.failed_before else ""
        took = f"({self.seconds:.2f} s)"
        return f"{self.verdict} {self.check} of {self.target}: {self.asked} → {self.came} {took}{tail}{before}"
