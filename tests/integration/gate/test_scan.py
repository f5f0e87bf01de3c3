from __future__ import annotations

import io
import json
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from infra.checks.gate import scan_image
from infra.errors import GateError
from infra.lab import registry
from infra.lab.trivy_database import date_database
from tests.integration.gate.conftest import Stand, debian

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.lab

REPORTS = {"scan.json", "scan.sarif", "scan.txt", "sbom.cdx.json", "verdict.json"}
WAIVER = """waivers:
  - id: CVE-2026-10001
    package: openssl
    owner: ann@example.com
    reason: the function is not called
    expires: {expires}
"""
KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA" * 30 + "\n-----END RSA PRIVATE KEY-----\n"


@pytest.fixture
def blocked(stand: Stand, shown: list[str]) -> Callable[..., str]:
    """Return what scans an image that must be blocked, and gives the reason."""

    def judge(image: str, **changes: object) -> str:
        with pytest.raises(GateError) as caught:
            scan_image(stand.request(image, **changes), shown.append)  # type: ignore[arg-type]
        assert caught.value.exit_code == 40
        assert shown == []
        return str(caught.value)

    return judge


def written(stand: Stand) -> set[str]:
    """Return the reports there are."""
    return {path.name for path in stand.reports.iterdir()} if stand.reports.exists() else set()


def test_a_clean_image_passes(stand: Stand, shown: list[str]) -> None:
    """An image without blocking findings passes, with every report, each marked with the database."""
    report = scan_image(stand.request(stand.push("gate-clean", debian("tar"))), shown.append)
    assert report["passed"]
    assert report["findings"]["LOW"]["unfixed"] == 2  # tar, and that the image has no HEALTHCHECK
    assert written(stand) == REPORTS
    assert "lab DATABASE" in (stand.reports / "scan.txt").read_text()
    assert "lab DATABASE" in json.loads((stand.reports / "scan.json").read_text())["VulnerabilityDatabase"]
    assert {part["name"] for part in json.loads((stand.reports / "sbom.cdx.json").read_text())["components"]} >= {"tar"}
    assert "LOW 2 (0 fixable)" in shown[0]


def test_a_critical_blocks_and_is_reported(stand: Stand, blocked: Callable[..., str]) -> None:
    """A CRITICAL blocks with package and fix, and all reports are written nevertheless."""
    assert "CRITICAL CVE-2026-10001 in openssl 1.0-1 (fixed in 3.9.9-1)" in blocked(
        stand.push("gate-critical", debian("openssl"))
    )
    assert written(stand) == REPORTS
    assert not json.loads((stand.reports / "verdict.json").read_text())["passed"]


def test_a_waiver_lets_it_through(stand: Stand, shown: list[str]) -> None:
    """The same with a valid waiver passes, with the waiver in the report and as a suppression in SARIF."""
    stand.waive(WAIVER.format(expires=datetime.now(UTC).date() + timedelta(days=5)))
    report = scan_image(stand.request(stand.push("gate-critical", debian("openssl"))), shown.append)
    assert report["waivers"][0]["owner"] == "ann@example.com"
    results = json.loads((stand.reports / "scan.sarif").read_text())["runs"][0]["results"]
    assert results[0]["suppressions"][0]["status"] == "accepted"


def test_an_expired_waiver_does_not(stand: Stand, blocked: Callable[..., str]) -> None:
    """The same with an expired waiver is blocked for both."""
    stand.waive(WAIVER.format(expires=date(2026, 1, 1)))
    reason = blocked(stand.push("gate-critical", debian("openssl")))
    assert "expired on 2026-01-01" in reason
    assert "CRITICAL CVE-2026-10001" in reason


def test_unknown_severity_blocks(stand: Stand, blocked: Callable[..., str]) -> None:
    """A finding that nobody rated yet blocks."""
    assert "UNKNOWN CVE-2026-10002 in mystery" in blocked(stand.push("gate-unknown", debian("mystery")))


def test_a_dead_system_blocks(stand: Stand, blocked: Callable[..., str]) -> None:
    """An operating system without security updates blocks."""
    reason = blocked(stand.push("gate-old", debian("tar", version="9")))
    assert "END-OF-LIFE in debian 9" in reason


@pytest.mark.parametrize("missing", ["etc/", "var/lib/dpkg/"])
def test_an_image_that_trivy_cannot_know_blocks(stand: Stand, blocked: Callable[..., str], missing: str) -> None:
    """An image that does not say of which system it is, or not what that is made of, blocks."""
    files = {path: text for path, text in debian("openssl").items() if not path.startswith(missing)}
    assert "UNSCANNED in acp/gate-unknown" in blocked(stand.push("gate-unknown", files))


def test_a_secret_blocks(stand: Stand, blocked: Callable[..., str]) -> None:
    """A private key in an image blocks."""
    files = {**debian("tar"), "srv/key.pem": KEY}
    assert "private-key in /srv/key.pem" in blocked(stand.push("gate-secret", files))


def test_an_ignore_file_changes_nothing(
    stand: Stand, blocked: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a `.trivyignore`, nor a `trivy.yaml`, nor TRIVY_ variables where it is started filter a finding."""
    (tmp_path / ".trivyignore").write_text("CVE-2026-10001\n")
    (tmp_path / "trivy.yaml").write_text("severity: [LOW]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIVY_SEVERITY", "LOW")
    monkeypatch.setenv("TRIVY_IGNORE_UNFIXED", "true")
    assert "CVE-2026-10001" in blocked(stand.push("gate-critical", debian("openssl")))


def test_a_stale_database_blocks(stand: Stand, blocked: Callable[..., str]) -> None:
    """A clean image is blocked when the database is too old, and told how to mend that."""
    date_database(stand.path / "trivy", datetime.now(UTC) - timedelta(hours=25))
    reason = blocked(stand.push("gate-clean", debian("tar")))
    assert "25.0 h old" in reason
    assert "bring" in reason
    assert written(stand) == REPORTS


def test_a_missing_database_blocks(stand: Stand, blocked: Callable[..., str]) -> None:
    """A clean image is blocked without a database."""
    image = stand.push("gate-clean", debian("tar"))
    scan_image(stand.request(image), lambda _: None)
    (stand.path / "trivy" / "db" / "trivy.db").unlink()
    assert "no vulnerability database" in blocked(image)
    assert written(stand) == set(), "the reports of the scan before would pass for this one's"


def test_a_wrong_login_blocks(stand: Stand, blocked: Callable[..., str]) -> None:
    """A wrong password blocks and is not shown."""
    reason = blocked(stand.push("gate-clean", debian("tar")), password="wrong-pa55word")
    assert "refused trivy's login" in reason
    assert "wrong-pa55word" not in reason


def test_a_deleted_image_blocks(stand: Stand, blocked: Callable[..., str]) -> None:
    """An image that is gone between push and scan blocks."""
    image = stand.push("gate-clean", debian("tar")).rpartition("@")[0] + "@sha256:" + "d" * 64
    assert "not in the registry" in blocked(image)


def test_unwritable_reports_block(stand: Stand, blocked: Callable[..., str]) -> None:
    """A report that cannot be written blocks."""
    (stand.path / "reports").write_text("a file where the folder should be")
    assert "cannot be written" in blocked(stand.push("gate-clean", debian("tar")))


def test_an_accepted_risk_is_recorded(stand: Stand, shown: list[str]) -> None:
    """A rollback may go on with a CRITICAL for a reason, and both are in the record."""
    image = stand.push("gate-critical", debian("openssl"))
    report = scan_image(stand.request(image, accept_risk="the new release loses data"), shown.append)
    assert report["accepted_risk"] == "the new release loses data"
    assert "CVE-2026-10001" in report["accepted"][0]
    assert "accepted: the new release loses data" in shown[0]


def test_two_scans_run_side_by_side(stand: Stand, shown: list[str]) -> None:
    """Scans of two images do not get into each other's way."""
    images = [stand.push(f"gate-{name}", debian("tar", name)) for name in ("one", "two")]
    requests = [stand.request(image) for image in images]
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda request: scan_image(request, shown.append), requests))
    assert [report["image"] for report in reports] == images


def test_a_warm_scan_is_quick(stand: Stand, record_property: Callable[[str, object], None]) -> None:
    """The second scan of a real base image takes at most 15 seconds."""
    with stand.client() as http:
        digest = registry.digest(http, "library/python:3.13-slim-trixie")
    request = stand.request(f"{stand.lab.registry_server}/library/python@{digest}", block_unknown=False)
    _reason(request)
    began = time.monotonic()
    _reason(request)
    seconds = time.monotonic() - began
    record_property("seconds", seconds)
    assert seconds <= 15


def _reason(request: object) -> str:
    """Scan and return why it is blocked, empty when it passes."""
    try:
        scan_image(request, lambda _: None)  # type: ignore[arg-type]
    except GateError as error:
        return str(error)
    return ""


def test_sarif_is_what_code_scanning_takes(stand: Stand) -> None:
    """Every result names a rule that is there, has a place, a level, a message and a fingerprint of its own."""
    image = stand.push("gate-sarif", {**debian("openssl", "tar", "mystery"), "srv/key.pem": KEY})
    _reason(stand.request(image))
    document = json.loads((stand.reports / "scan.sarif").read_text())
    assert document["version"] == "2.1.0"
    assert "sarif-schema-2.1.0" in document["$schema"]
    run = document["runs"][0]
    assert run["automationDetails"]["id"] == "trivy/app/"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert {result["ruleId"] for result in run["results"]} == set(rules)
    assert {"CVE-2026-10001", "CVE-2026-10002", "CVE-2005-2541", "private-key"} <= set(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note", "none"}
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert not place["artifactLocation"]["uri"].startswith("/")
        assert place["region"]["startLine"] >= 1
    prints = [json.dumps(result["partialFingerprints"]) for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_a_mirror_serves_the_database(stand: Stand, shown: list[str], database: Path) -> None:
    """Without a folder the database is fetched from the stack's mirror, with the registry's login, and used."""
    moment = datetime.now(UTC) - timedelta(hours=1)
    date_database(stand.path / "mirrored", moment, origin="vendor")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(database, "trivy.db")
        archive.add(stand.path / "mirrored" / "db" / "metadata.json", "metadata.json")
    stand.push_artifact("trivy-db", "2", packed.getvalue(), "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip")
    mirror = f"{stand.lab.registry_server}/acp/trivy-db:2"
    report = scan_image(
        stand.request(stand.push("gate-clean", debian("tar")), database_folder=None, database_mirror=mirror),
        shown.append,
    )
    assert report["database"] == f"{moment:%Y-%m-%d %H:%M} UTC"


def test_no_database_to_be_had_blocks(stand: Stand, blocked: Callable[..., str]) -> None:
    """A database that cannot be fetched blocks, with the settings that help."""
    mirror = f"{stand.lab.registry_server}/acp/no-such-database:2"
    image = stand.push("gate-clean", debian("tar"))
    reason = blocked(image, database_folder=None, database_mirror=mirror)
    assert "none could be fetched" in reason
    assert "gate.database_mirror" in reason
