from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from infra.domain.findings import Database, Finding, Kind, Severity
from infra.domain.scan_policy import Policy, Verdict, count_by_severity, evaluate
from infra.domain.waivers import Waiver, for_stack, unused_waivers

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FRESH = Database(updated_at=NOW - timedelta(hours=1))


def finding(**changes: Any) -> Finding:
    """Return a CRITICAL vulnerability, bent by `changes`."""
    values: dict[str, Any] = {
        "kind": Kind.VULNERABILITY, "id": "CVE-2026-1", "package": "openssl", "severity": Severity.CRITICAL,
    }  # fmt: skip
    return Finding(**{**values, **changes})


def waiver(**changes: Any) -> Waiver:
    """Return a waiver of that vulnerability."""
    values: dict[str, Any] = {
        "id": "CVE-2026-1", "package": "openssl", "owner": "ann@example.com", "reason": "not reachable from outside",
        "expires": date(2026, 12, 1),
    }  # fmt: skip
    return Waiver(**{**values, **changes})


def judge(*findings: Finding, waivers: tuple[Waiver, ...] = (), database: Database = FRESH, **policy: Any) -> Verdict:
    """Return the verdict on `findings`."""
    return evaluate(findings, Policy(**policy), waivers, database, NOW)


def test_a_clean_image_passes() -> None:
    """Nothing found and a fresh database is a pass."""
    assert judge().passed


def test_critical_blocks() -> None:
    """A CRITICAL blocks, and the reason names it, its package and the fix."""
    verdict = judge(finding(installed="3.0", fixed="3.1"))
    assert not verdict.passed
    assert list(verdict.reasons()) == ["CRITICAL CVE-2026-1 in openssl 3.0 (fixed in 3.1)"]


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.MEDIUM, Severity.LOW])
def test_lower_severities_are_reported(severity: Severity) -> None:
    """By default what is not CRITICAL is reported and does not block."""
    verdict = judge(finding(severity=severity))
    assert verdict.passed
    assert len(verdict.reported) == 1


def test_a_stack_blocks_more() -> None:
    """A stack may block HIGH as well."""
    assert not judge(finding(severity=Severity.HIGH), block=frozenset({Severity.HIGH, Severity.CRITICAL})).passed


def test_unknown_blocks_unless_waived() -> None:
    """A finding without a severity blocks by default, and a waiver lets it through."""
    unknown = finding(severity=Severity.UNKNOWN)
    assert not judge(unknown).passed
    assert judge(unknown, waivers=(waiver(),)).passed
    assert judge(unknown, block_unknown=False).passed


@pytest.mark.parametrize("kind", [Kind.SECRET, Kind.END_OF_LIFE, Kind.UNSCANNED])
@pytest.mark.parametrize("severity", [Severity.LOW, Severity.UNKNOWN])
def test_some_kinds_block_at_any_severity(kind: Kind, severity: Severity) -> None:
    """A secret, an operating system without updates and an image that cannot be judged block unless waived."""
    found = finding(kind=kind, severity=severity)
    assert not judge(found, block_unknown=False).passed
    assert judge(found, waivers=(waiver(),)).passed


def test_a_waiver_counts_for_its_package_only() -> None:
    """The same id in another package still blocks."""
    verdict = judge(finding(), finding(package="curl"), waivers=(waiver(),))
    assert [blocked.package for blocked in verdict.blocking] == ["curl"]
    assert verdict.used_waivers == (waiver(),)


def test_an_expired_waiver_blocks_even_without_a_finding() -> None:
    """A waiver whose day is over is a problem, and covers nothing any more."""
    late = waiver(expires=date(2026, 11, 23))
    assert "expired on 2026-11-23" in judge(waivers=(late,)).problems[0]
    assert judge(finding(), waivers=(late,)).blocking


def test_a_waiver_counts_on_its_last_day() -> None:
    """The expiry is the last day on which it counts."""
    assert judge(finding(), waivers=(waiver(expires=NOW.date()),)).passed


@pytest.mark.parametrize(("days", "passes"), [(30, True), (31, False)])
def test_a_waiver_lasts_thirty_days_at_most(days: int, *, passes: bool) -> None:
    """A waiver that ends more than 30 days ahead is refused."""
    assert judge(finding(), waivers=(waiver(expires=NOW.date() + timedelta(days=days)),)).passed is passes


def test_a_waiver_twice_is_a_problem() -> None:
    """Two waivers of one finding are one too many."""
    assert "stands twice" in judge(finding(), waivers=(waiver(), waiver())).problems[0]


@pytest.mark.parametrize(
    ("age", "problem"),
    [
        (timedelta(hours=25), "25.0 h old"),
        (timedelta(hours=-2), "from the future"),
        (timedelta(hours=24), ""),
        (timedelta(minutes=-5), ""),
    ],
)
def test_the_database_must_be_fresh(age: timedelta, problem: str) -> None:
    """A database older than the limit or from the future blocks a clean image; a small skew of clocks does not."""
    verdict = judge(database=Database(updated_at=NOW - age))
    assert verdict.passed is (not problem)
    assert all(problem in text for text in verdict.problems)


def test_a_missing_database_blocks() -> None:
    """No database is no pass."""
    assert "no vulnerability database" in judge(database=Database(updated_at=None)).problems[0]


def test_accepting_a_risk_keeps_it_in_the_record() -> None:
    """An accepted risk passes, and stays visible; a stale database is nothing to accept."""
    accepted = evaluate([finding()], Policy(), (), FRESH, NOW, accept_risk=True)
    assert accepted.passed
    assert accepted.to_json()["accepted"] == ["CRITICAL CVE-2026-1 in openssl (no fix known)"]
    stale = Database(updated_at=NOW - timedelta(days=3))
    assert not evaluate([finding()], Policy(), (), stale, NOW, accept_risk=True).passed


def test_every_finding_is_in_one_group() -> None:
    """Blocked, waived and reported findings add up to what was found."""
    found = [finding(), finding(package="curl"), finding(severity=Severity.LOW)]
    verdict = judge(*found, waivers=(waiver(),))
    assert len(verdict.blocking) + len(verdict.waived) + len(verdict.reported) == len(found)
    assert verdict.to_json()["findings"] == {
        "CRITICAL": {"fixable": 0, "unfixed": 2},
        "LOW": {"fixable": 0, "unfixed": 1},
    }


def test_fixable_findings_are_counted_apart() -> None:
    """What an upgrade mends is told from what nobody can mend."""
    counts = count_by_severity([finding(fixed="3.1"), finding(), finding(severity=Severity.HIGH)])
    assert counts == {"CRITICAL": {"fixable": 1, "unfixed": 1}, "HIGH": {"fixable": 0, "unfixed": 1}}


def test_an_unused_waiver_is_a_problem() -> None:
    """A waiver that no image needs is named with its owner."""
    assert unused_waivers([waiver()], {waiver().key}) == []
    assert "ann@example.com" in unused_waivers([waiver()], set())[0]


def test_waivers_may_name_their_stacks() -> None:
    """A waiver for staging does not count on production; one without stacks counts everywhere."""
    waivers = (waiver(stacks=("staging",)), waiver(id="CVE-2026-2"))
    assert [w.id for w in for_stack(waivers, "production")] == ["CVE-2026-2"]
    assert len(for_stack(waivers, "staging")) == 2


@pytest.mark.parametrize("origin", ["vendor", "lab"])
def test_another_database_is_marked(origin: str) -> None:
    """Only the vendor's own database goes unmarked."""
    assert ("DATABASE" in str(Database(updated_at=NOW, origin=origin))) is (origin != "vendor")
