from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.adapters import trivy
from infra.adapters.process import Completed
from infra.domain.findings import Kind, Severity
from infra.errors import GateError, ToolError
from infra.lab.trivy_database import date_database

IMAGE = f"registry.test:5000/acp/app@sha256:{'a' * 64}"


def report(**changes: Any) -> str:
    """Return a report with one finding of each kind."""
    document: dict[str, Any] = {
        "SchemaVersion": 2,
        "ArtifactName": IMAGE,
        "Metadata": {"OS": {"Family": "debian", "Name": "9.1", "EOSL": True}},
        "Results": [
            {
                "Target": f"{IMAGE} (debian 9.1)",
                "Class": "os-pkgs",
                "Packages": [{"Name": "openssl", "Version": "1"}, {"Name": "tar"}],
                "Vulnerabilities": [
                    {"VulnerabilityID": "CVE-1", "PkgName": "openssl", "InstalledVersion": "1", "FixedVersion": "2",
                     "Severity": "CRITICAL"},
                    {"VulnerabilityID": "CVE-2", "PkgName": "tar"},
                    {"VulnerabilityID": "CVE-3", "PkgName": "tar", "Severity": "APOCALYPTIC"},
                ],
            },
            {"Target": "/etc/key.pem", "Class": "secret", "Secrets": [{"RuleID": "private-key", "Severity": "HIGH"}]},
            {"Target": IMAGE, "Class": "config", "Misconfigurations": [
                {"ID": "DS-0002", "Severity": "HIGH", "Status": "FAIL"},
                {"ID": "DS-0001", "Severity": "LOW", "Status": "PASS"},
            ]},
        ],
    }  # fmt: skip
    return json.dumps({**document, **changes})


def test_every_kind_of_finding_is_read() -> None:
    """Vulnerabilities, secrets, misconfigurations and a dead operating system are read; a passed check is none."""
    found = [(f.kind, f.id, f.package, f.severity) for f in trivy.parse_report(report(), IMAGE).findings()]
    assert found == [
        (Kind.END_OF_LIFE, "END-OF-LIFE", "debian 9.1", Severity.CRITICAL),
        (Kind.VULNERABILITY, "CVE-1", "openssl", Severity.CRITICAL),
        (Kind.VULNERABILITY, "CVE-2", "tar", Severity.UNKNOWN),
        (Kind.VULNERABILITY, "CVE-3", "tar", Severity.UNKNOWN),
        (Kind.SECRET, "private-key", "/etc/key.pem", Severity.HIGH),
        (Kind.MISCONFIGURATION, "DS-0002", "acp/app", Severity.HIGH),
    ]


DEBIAN = {"OS": {"Family": "debian", "Name": "13.1"}}
NONE = {"OS": {"Family": "none", "Name": ""}}
FEDORA = {"OS": {"Family": "fedora", "Name": "44"}}
PYTHON = {"Target": "Python", "Class": "lang-pkgs", "Packages": [{"Name": "requests"}]}
BINARY = {"Target": "app", "Class": "lang-pkgs", "Packages": [{"Name": "stdlib"}]}
SYSTEM = {"Target": f"{IMAGE} (debian 13.1)", "Class": "os-pkgs", "Packages": [{"Name": "tar"}]}
CONFIG = {"Target": IMAGE, "Class": "config"}


@pytest.mark.parametrize(
    ("metadata", "results", "reason"),
    [
        pytest.param({}, [], "recognises neither a system nor a package", id="nothing is recognised"),
        pytest.param({}, [CONFIG], "recognises neither a system nor a package", id="only its configuration"),
        pytest.param(NONE, [], "takes its system for 'none'", id="packages of no system"),
        pytest.param(NONE, [PYTHON], "takes its system for 'none'", id="packages of no system, and others"),
        pytest.param(FEDORA, [PYTHON], "takes its system for 'fedora 44'", id="a system that trivy does not judge"),
        pytest.param(DEBIAN, [{**SYSTEM, "Packages": []}], "for 'debian 13.1'", id="a system without its packages"),
        pytest.param(DEBIAN, [SYSTEM, CONFIG], "", id="a system with packages"),
        pytest.param({}, [BINARY], "", id="one static binary"),
    ],
)
def test_what_trivy_knows_nothing_of_is_a_finding(metadata: Any, results: list[Any], reason: str) -> None:
    """An image whose packages, or those of its system, were not judged has one finding that says so, by its path."""
    found = list(trivy.parse_report(report(Metadata=metadata, Results=results), IMAGE).findings())
    assert [(f.kind, f.id, f.package) for f in found] == [(Kind.UNSCANNED, "UNSCANNED", "acp/app")] * bool(reason)
    assert all(reason in f.title for f in found)


def test_a_report_without_results_is_a_finding_too() -> None:
    """Trivy leaves out what is empty."""
    text = json.dumps({"SchemaVersion": 2, "ArtifactName": IMAGE, "Metadata": {"Size": 1}})
    assert [finding.id for finding in trivy.parse_report(text, IMAGE).findings()] == ["UNSCANNED"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "is not JSON"),
        ("{}", "cannot be read: SchemaVersion"),
        (report(Results=[{"Target": "x", "Vulnerabilities": [{}]}]), "cannot be read: Results.0"),
        (report(ArtifactName="other"), "instead of"),
    ],
)
def test_an_unreadable_report_blocks(text: str, expected: str) -> None:
    """What is no report, or one on another image, is no pass."""
    with pytest.raises(GateError, match=expected) as caught:
        list(trivy.parse_report(text, IMAGE).findings())
    assert caught.value.exit_code == 40


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    [
        (-9, "", "killed by signal 9"),
        (137, "", "killed by signal 9"),
        (1, "write /tmp/x: no space left on device", "out of disk space"),
        (1, "GET https://r/v2/: UNAUTHORIZED: authentication required", "refused trivy's login"),
        (1, "MANIFEST_UNKNOWN: manifest unknown; map[]", "is not in the registry"),
        (2, "panic: nil pointer\n\ngoroutine 1 [running]:\nmain.main()", "status 2: panic: nil pointer"),
        (1, "", "status 1: no reason"),
    ],
)
def test_a_failure_is_said_in_our_words(status: int, errors: str, expected: str) -> None:
    """Each way to fail has its words."""
    assert expected in trivy.failure(status, errors).what


def test_a_missing_trivy_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the scanner nothing is released."""
    monkeypatch.setattr(trivy, "tool", lambda _: "acp-no-such-program")
    with pytest.raises(GateError, match="acp-no-such-program is not installed"):
        trivy.check_version()


@pytest.mark.parametrize(("found", "passes"), [(trivy.VERSION, True), ("0.69.0", False), ("dev", False)])
def test_another_version_blocks(monkeypatch: pytest.MonkeyPatch, found: str, *, passes: bool) -> None:
    """Only the pinned version counts: what another one finds is not comparable."""
    monkeypatch.setattr(
        trivy, "run", lambda argv, **_: Completed(argv=(), exit_status=0, stdout=f"Version: {found}\n", stderr="")
    )
    if passes:
        trivy.check_version()
    else:
        with pytest.raises(GateError, match=f"trivy is version {found}"):
            trivy.check_version()


def test_the_password_is_not_in_the_command() -> None:
    """The login goes by environment; a caller's own settings of Trivy do not."""
    login = trivy.Login(username="acp", password="pa55word")
    environment = trivy.environment({"TRIVY_SEVERITY": "LOW", "PATH": "/bin"}, login)
    assert environment == {"PATH": "/bin", "TRIVY_USERNAME": "acp", "TRIVY_PASSWORD": "pa55word"}
    argv = trivy.scan_argv(IMAGE, cache=Path("/c"), output=Path("/o"), timeout_seconds=30)
    assert "pa55word" not in " ".join(argv)


def test_the_scan_filters_nothing() -> None:
    """The command is the whole of it: by digest, from the registry, unfiltered and offline."""
    argv = trivy.scan_argv(IMAGE, cache=Path("/cache"), output=Path("/out.json"), timeout_seconds=30)
    assert argv[-1] == IMAGE
    assert not {"--severity", "--ignore-unfixed", "--ignorefile", "--ignore-policy", "--vex"} & set(argv)
    assert argv[argv.index("--exit-code") + 1] == "0"
    assert "--list-all-pkgs" in argv, "a clean image would look like one of which nothing is known"


def test_it_runs_where_no_file_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.trivyignore` in the working directory is not seen: the scan runs in an empty folder."""
    seen: list[list[Path]] = []

    def fake_run(argv: list[str], *, cwd: Path, **_: Any) -> Completed:
        seen.append(list(cwd.iterdir()))
        return Completed(argv=(), exit_status=0, stdout="", stderr="")

    monkeypatch.setattr(trivy, "run", fake_run)
    trivy.call(["trivy"], timeout_seconds=1)
    assert seen == [[]]


def test_a_late_scan_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that does not end is no pass."""

    def late(*_: Any, **__: Any) -> Completed:
        raise ToolError("trivy did not finish in 1 s")

    monkeypatch.setattr(trivy, "run", late)
    with pytest.raises(GateError, match="did not finish"):
        trivy.call(["trivy"], timeout_seconds=1)


def test_the_database_says_its_date_and_origin(tmp_path: Path) -> None:
    """The date comes from the database's own metadata; a lab's database says so."""
    from datetime import UTC, datetime  # noqa: PLC0415 - used here alone

    moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
    date_database(tmp_path, moment)
    assert trivy.read_database(tmp_path).updated_at is None
    (tmp_path / "db" / "trivy.db").write_bytes(b"x")
    found = trivy.read_database(tmp_path)
    assert found.updated_at == moment
    assert "lab DATABASE" in str(found)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"UpdatedAt": "soon"}', "[]"])
def test_unreadable_metadata_is_no_database(tmp_path: Path, text: str) -> None:
    """A database of unknown age counts as none."""
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "trivy.db").write_bytes(b"x")
    (tmp_path / "db" / "metadata.json").write_text(text)
    assert trivy.read_database(tmp_path).updated_at is None


def test_sarif_is_made_from_paths() -> None:
    """A server with a port is no URI: SARIF gets the image's path, and the report itself stays as it is."""
    assert json.loads(trivy.for_sarif(report(), IMAGE))["Results"][2]["Target"] == "acp/app"
