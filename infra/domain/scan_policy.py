"""The verdict on a scan: pure, so that the same findings on the same day always end the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from infra.domain.findings import Kind, Severity
from infra.domain.waivers import waiver_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from infra.domain.findings import Database, Finding
    from infra.domain.waivers import Waiver

CLOCK_SKEW = timedelta(minutes=10)
ALWAYS = frozenset({Kind.SECRET, Kind.END_OF_LIFE, Kind.UNSCANNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a stack does not let through."""

    block: frozenset[Severity] = frozenset({Severity.CRITICAL})
    block_unknown: bool = True
    max_database_age_seconds: float = 86_400

    def blocks(self, finding: Finding) -> bool:
        """Return whether a finding that nobody waived stops the release.

        A secret in an image, an operating system without updates and packages that the scanner cannot judge always do,
        whatever level they have.
        """
        if finding.kind in ALWAYS:
            return True
        if finding.severity is Severity.UNKNOWN:
            return self.block_unknown
        return finding.severity in self.block


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says of one image: every finding is in exactly one of the four groups."""

    problems: tuple[str, ...]
    blocking: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    waived: tuple[tuple[Finding, Waiver], ...]
    reported: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether the image may be released."""
        return not self.problems and not self.blocking

    @property
    def used_waivers(self) -> tuple[Waiver, ...]:
        """The waivers without which it would not have passed, each once."""
        return tuple({waiver.key: waiver for _, waiver in self.waived}.values())

    def reasons(self) -> Iterator[str]:
        """Yield why it is blocked: what can be mended by an upgrade first."""
        yield from self.problems
        for finding in sorted(self.blocking, key=lambda finding: not finding.fixable):
            yield str(finding)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as reports and the release record have it."""
        everything = (*self.blocking, *self.accepted, *(finding for finding, _ in self.waived), *self.reported)
        return {
            "passed": self.passed,
            "problems": list(self.problems),
            "blocking": [str(finding) for finding in self.blocking],
            "accepted": [str(finding) for finding in self.accepted],
            "waivers": [
                {"id": w.id, "package": w.package, "owner": w.owner, "reason": w.reason, "expires": f"{w.expires}"}
                for w in self.used_waivers
            ],
            "findings": count_by_severity(everything),
        }


def evaluate(
    findings: Sequence[Finding],
    policy: Policy,
    waivers: Sequence[Waiver],
    database: Database,
    now: datetime,
    *,
    accept_risk: bool = False,
) -> Verdict:
    """Judge the findings of one image at `now` (UTC).

    An expired or too long waiver, and a database that is missing, too old or from the future, are problems that nothing
    waives. With `accept_risk` what would block is accepted instead; problems still block.
    """
    problems = (*database_problems(database, policy, now), *waiver_problems(waivers, now.date()))
    valid = [waiver for waiver in waivers if waiver.expires >= now.date()]
    stopped, reported, waived = [], [], []
    for finding in findings:
        if not policy.blocks(finding):
            reported.append(finding)
        elif waiver := next((waiver for waiver in valid if waiver.covers(finding)), None):
            waived.append((finding, waiver))
        else:
            stopped.append(finding)
    return Verdict(
        problems=problems,
        blocking=() if accept_risk else tuple(stopped),
        accepted=tuple(stopped) if accept_risk else (),
        waived=tuple(waived),
        reported=tuple(reported),
    )


def database_problems(database: Database, policy: Policy, now: datetime) -> Iterator[str]:
    """Yield why the database cannot be trusted to know what is known today."""
    if database.updated_at is None:
        yield "there is no vulnerability database: a scan without one finds nothing"
        return
    age = now - database.updated_at
    if age < -CLOCK_SKEW:
        yield f"the vulnerability database is from the future ({database}): the clock or the database is wrong"
    elif age.total_seconds() > policy.max_database_age_seconds:
        limit_hours = policy.max_database_age_seconds / 3600
        age_hours = age.total_seconds() / 3600
        yield f"the vulnerability database is {age_hours:.1f} h old ({database}), the limit is {limit_hours:g} h"


def count_by_severity(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Return how many findings there are of each severity, those with a fix and those without apart."""
    counts = {severity.value: {"fixable": 0, "unfixed": 0} for severity in Severity}
    for finding in findings:
        counts[finding.severity.value]["fixable" if finding.fixable else "unfixed"] += 1
    return {severity: count for severity, count in counts.items() if any(count.values())}
