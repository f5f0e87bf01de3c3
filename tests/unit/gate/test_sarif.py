from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from infra.adapters.sarif import FINGERPRINT, finish
from infra.domain.findings import Database
from infra.domain.waivers import Waiver

LAB = Database(updated_at=datetime(2026, 11, 24, tzinfo=UTC), origin="lab")
WAIVER = Waiver(id="CVE-1", package="openssl", owner="ann", reason="not reachable", expires=date(2026, 12, 1))


def result(rule: str, package: str, version: str = "1") -> dict[str, Any]:
    """Return a result as Trivy writes it."""
    return {
        "ruleId": rule,
        "message": {"text": f"Package: {package}\nInstalled Version: {version}\nVulnerability {rule}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "acp/app"}}}],
    }


def finished(*results: dict[str, Any], category: str = "trivy/app") -> dict[str, Any]:
    """Return the one finished run."""
    document = {"version": "2.1.0", "runs": [{"tool": {}, "results": list(results)}]}
    run: dict[str, Any] = finish(document, category=category, database=LAB, waivers=[WAIVER])["runs"][0]
    return run


def test_each_image_has_its_category() -> None:
    """Code scanning replaces a category's alerts: one per image, so that two images do not replace each other's."""
    assert finished()["automationDetails"] == {"id": "trivy/app/"}


def test_the_database_is_marked() -> None:
    """The report says which database it is from."""
    assert "lab DATABASE" in finished()["properties"]["vulnerabilityDatabase"]


def test_a_fingerprint_outlives_a_build() -> None:
    """The same finding in another version has the same fingerprint; another package or image has not."""

    def print_of(run: dict[str, Any]) -> str:
        return str(run["results"][0]["partialFingerprints"][FINGERPRINT])

    first = print_of(finished(result("CVE-1", "openssl")))
    assert first == print_of(finished(result("CVE-1", "openssl", "2")))
    assert first != print_of(finished(result("CVE-1", "curl")))
    assert first != print_of(finished(result("CVE-1", "openssl"), category="trivy/other"))


def test_a_waiver_is_shown_as_a_suppression() -> None:
    """A waived finding stays in the report, suppressed with its reason; the same id elsewhere does not."""
    waived, open_one = finished(result("CVE-1", "openssl"), result("CVE-1", "curl"))["results"]
    assert waived["suppressions"][0]["justification"] == "not reachable (ann, until 2026-12-01)"
    assert "suppressions" not in open_one
