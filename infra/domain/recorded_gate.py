"""What the gate recorded: said in a line, and found again by a rollback while the registry is down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def summary(report: dict[str, Any]) -> str:
    """Return one line on a scan that passed."""
    counts = ", ".join(
        f"{severity} {count['fixable'] + count['unfixed']} ({count['fixable']} fixable)"
        for severity, count in report["findings"].items()
    )
    waived = f"; {len(report['waivers'])} waived" if report["waivers"] else ""
    accepted = f"; {len(report['accepted'])} accepted: {report['accepted_risk']}" if report["accepted"] else ""
    return (
        f"gate: {report['name']} passed: {counts or 'nothing found'}{waived}{accepted}; database {report['database']}"
    )


def recorded_scan(recorded: Sequence[Mapping[str, Any]], image: str) -> Mapping[str, Any] | None:
    """Return the recorded scan of this very digest that passed, or None."""
    return next((scan for scan in recorded if scan["image"] == image and scan.get("passed") is True), None)


def unsigned_then(recorded: Mapping[str, Any], verifier: str) -> list[str]:
    """Return why the recorded signatures do not count: only those of the signer that is accepted today do."""
    signed_by = recorded.get("signed_by")
    if signed_by == verifier:
        return []
    then = f"it was signed by {signed_by}" if signed_by else "its signatures were not verified"
    return [f"the registry does not answer, and when this release was recorded {then}, not by {verifier}"]
