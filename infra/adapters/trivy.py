"""Trivy: its command lines, what it answers, and its failures in our words.

One scan writes one unfiltered JSON; SARIF, table and SBOM are made from that by `trivy convert`.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.adapters.environment import kept_environment
from infra.adapters.process import run
from infra.adapters.tools import tool
from infra.domain.findings import Database, Finding, Kind, Severity
from infra.errors import GateError, ToolError
from infra.toolchain.versions import GO_TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRIVY = "trivy"
VERSION = next(entry.version for entry in GO_TOOLS if entry.name == TRIVY)
SHORT_TIMEOUT_SECONDS = 60.0
DOWNLOAD_TIMEOUT_SECONDS = 600.0
ORIGIN_FIELD = "Origin"
QUIET = ("--quiet", "--disable-telemetry", "--skip-version-check", "--no-progress")
OFFLINE = ("--skip-db-update", "--skip-java-db-update", "--skip-check-update", "--offline-scan")
SIGNAL_BASE = 128
SYSTEM_PACKAGES = "os-pkgs"


class _Part(BaseModel):
    """A part of Trivy's JSON; it has far more fields than are read here."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class _Vulnerability(_Part):
    id: str = Field(alias="VulnerabilityID")
    package: str = Field(alias="PkgName")
    installed: str = Field(default="", alias="InstalledVersion")
    fixed: str = Field(default="", alias="FixedVersion")
    severity: str = Field(default="UNKNOWN", alias="Severity")
    title: str = Field(default="", alias="Title")
    url: str = Field(default="", alias="PrimaryURL")


class _Secret(_Part):
    id: str = Field(alias="RuleID")
    severity: str = Field(default="UNKNOWN", alias="Severity")
    title: str = Field(default="", alias="Title")


class _Misconfiguration(_Part):
    id: str = Field(alias="ID")
    severity: str = Field(default="UNKNOWN", alias="Severity")
    title: str = Field(default="", alias="Title")
    url: str = Field(default="", alias="PrimaryURL")
    status: str = Field(default="FAIL", alias="Status")


class _Result(_Part):
    target: str = Field(alias="Target")
    of: str = Field(default="", alias="Class")
    packages: tuple[dict[str, Any], ...] = Field(default=(), alias="Packages")
    vulnerabilities: tuple[_Vulnerability, ...] = Field(default=(), alias="Vulnerabilities")
    secrets: tuple[_Secret, ...] = Field(default=(), alias="Secrets")
    misconfigurations: tuple[_Misconfiguration, ...] = Field(default=(), alias="Misconfigurations")


class _System(_Part):
    family: str = Field(default="", alias="Family")
    name: str = Field(default="", alias="Name")
    end_of_life: bool = Field(default=False, alias="EOSL")

    def __str__(self) -> str:
        """Return family and version."""
        return f"{self.family} {self.name}".strip()


class _Metadata(_Part):
    system: _System | None = Field(default=None, alias="OS")


class Report(_Part):
    """What one scan found."""

    schema_version: int = Field(alias="SchemaVersion")
    artifact: str = Field(alias="ArtifactName")
    metadata: _Metadata = Field(default_factory=_Metadata, alias="Metadata")
    results: tuple[_Result, ...] = Field(default=(), alias="Results")

    def findings(self) -> Iterator[Finding]:
        """Yield every finding."""
        system = self.metadata.system
        if system and system.end_of_life:
            yield Finding(
                kind=Kind.END_OF_LIFE, id="END-OF-LIFE", package=str(system), severity=Severity.CRITICAL,
                title="this operating system gets no security updates any more",
            )  # fmt: skip
        if unscanned := self._unscanned():
            yield Finding(
                kind=Kind.UNSCANNED, id="UNSCANNED", package=path_of(self.artifact), severity=Severity.UNKNOWN,
                title=f"{unscanned}; does it lack /etc/os-release or its package database?",
            )  # fmt: skip
        for result in self.results:
            yield from _findings_of(result, self._place(result.target))

    def _unscanned(self) -> str:
        """Return why no vulnerability of the image, or of its system, could be found; empty when one could.

        Where system packages are there and the system is not recognised, Trivy calls it `none`. An image without a
        system, as of one static binary, is known by what that is made of.
        """
        system = self.metadata.system
        if system is None:
            is_known = any(result.packages for result in self.results)
            return "" if is_known else "trivy recognises neither a system nor a package in it"
        is_known = any(result.packages for result in self.results if result.of == SYSTEM_PACKAGES)
        return "" if is_known else f"trivy takes its system for {str(system)!r} and cannot judge a package of that"

    def _place(self, target: str) -> str:
        """Return what a target is called in findings: the image itself by its path."""
        return path_of(self.artifact) if target.startswith(self.artifact) else target


def path_of(image: str) -> str:
    """Return an image's path in its registry, without server and digest."""
    return image.partition("@")[0].partition("/")[2]


def for_sarif(text: str, image: str) -> str:
    """Return a report with `image` called by its path: SARIF wants URIs, and trivy crashes on a server with a port."""
    document = json.loads(text)
    for result in document.get("Results") or []:
        if str(result.get("Target", "")) == image:
            result["Target"] = path_of(image)
    return json.dumps(document)


def _findings_of(result: _Result, place: str) -> Iterator[Finding]:
    """Yield the findings of one target: a package manager's list, or a file."""
    for found in result.vulnerabilities:
        yield Finding(
            kind=Kind.VULNERABILITY, id=found.id, package=found.package, severity=_severity(found.severity),
            installed=found.installed, fixed=found.fixed, title=found.title, url=found.url,
        )  # fmt: skip
    for secret in result.secrets:
        yield Finding(
            kind=Kind.SECRET, id=secret.id, package=place, severity=_severity(secret.severity),
            title=secret.title,
        )  # fmt: skip
    for wrong in result.misconfigurations:
        if wrong.status == "FAIL":
            yield Finding(
                kind=Kind.MISCONFIGURATION, id=wrong.id, package=place, severity=_severity(wrong.severity),
                title=wrong.title, url=wrong.url,
            )  # fmt: skip


def _severity(text: str) -> Severity:
    """Return a severity; a word that Trivy never had before counts as UNKNOWN, which blocks."""
    return Severity(text) if text in Severity.__members__ else Severity.UNKNOWN


def parse_report(text: str, image: str) -> Report:
    """Return the report in `text`; raise `GateError` when it is not one, or is about another image."""
    try:
        report = Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise GateError(
            f"trivy's report on {image} cannot be read: {place}: {first['msg']}" if place else
            f"trivy's report on {image} is not JSON: {first['msg']}",
            mend=f"is `trivy --version` {VERSION}? Run again; nothing was changed",
        ) from None  # fmt: skip
    if report.artifact != image:
        raise GateError(f"trivy scanned {report.artifact} instead of {image}", mend="nothing was changed; run again")
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The registry login, handed to Trivy by environment."""

    username: str
    password: str


def environment(base: Mapping[str, str], login: Login | None) -> dict[str, str]:
    """Return Trivy's environment: no secret but a login, and nothing that would change its outcome (`TRIVY_…`)."""
    clean = kept_environment(base=base)
    return {**clean, "TRIVY_USERNAME": login.username, "TRIVY_PASSWORD": login.password} if login else clean


def scan_argv(image: str, *, cache: Path, output: Path, timeout_seconds: float) -> list[str]:
    """Return the command that scans `image` (by digest, from the registry) and filters nothing."""
    return [
        TRIVY, "image", *QUIET, *OFFLINE,
        "--cache-dir", str(cache), "--image-src", "remote", "--platform", "linux/amd64",
        "--scanners", "vuln,secret", "--image-config-scanners", "misconfig,secret",
        "--list-all-pkgs", "--exit-code", "0", "--timeout", f"{timeout_seconds:.0f}s",
        "--format", "json", "--output", str(output), image,
    ]  # fmt: skip


def convert_argv(report: Path, form: str, output: Path) -> list[str]:
    """Return the command that shows a JSON report as `sarif`, `table` or `cyclonedx`."""
    return [TRIVY, "convert", "--quiet", "--format", form, "--output", str(output), str(report)]


def download_argv(cache: Path, mirror: str | None) -> list[str]:
    """Return the command that brings the vulnerability database into `cache`."""
    source = ["--db-repository", mirror] if mirror else []
    return [TRIVY, "image", *QUIET, "--cache-dir", str(cache), "--download-db-only", *source]


def check_version() -> None:
    """Raise `GateError` unless Trivy is there in the pinned version: results depend on it."""
    done = call([TRIVY, "--version"], timeout_seconds=SHORT_TIMEOUT_SECONDS)
    found = next((line.split()[-1] for line in done.splitlines() if line.startswith("Version:")), "unknown")
    if found.removeprefix("v") != VERSION:
        raise GateError(
            f"trivy is version {found}, pinned is {VERSION}",
            mend="`make up` installs the pinned one; nothing was changed",
        )


def call(argv: list[str], *, timeout_seconds: float, login: Login | None = None) -> str:
    """Run Trivy and return its standard output; raise `GateError` with the reason when it fails.

    It runs in an empty folder: a `.trivyignore` or `trivy.yaml` lying about would filter what it finds.
    """
    with tempfile.TemporaryDirectory(prefix="acp-gate-") as empty:
        try:
            done = run(
                [tool(argv[0]), *argv[1:]],
                timeout_seconds=timeout_seconds,
                env=environment(os.environ, login),
                cwd=Path(empty),
                check=False,
                redact_values=[login.password] if login else (),
            )
        except ToolError as error:
            raise GateError(f"the gate could not scan: {error.what}", mend=error.mend or "run again") from None
    if done.exit_status != 0:
        raise failure(done.exit_status, done.stderr or done.stdout)
    return done.stdout


def failure(exit_status: int, errors: str) -> GateError:
    """Return why Trivy failed; whatever the reason, it blocks."""
    text = errors.strip()
    low = text.lower()
    lines = [line for line in text.splitlines() if line.strip()]
    reason = next((line for line in lines if line.startswith(("panic:", "fatal error:"))), (lines or ["no reason"])[-1])
    if exit_status < 0 or exit_status > SIGNAL_BASE:
        number = -exit_status if exit_status < 0 else exit_status - SIGNAL_BASE
        return GateError(f"trivy was killed by signal {number}", mend="out of memory? Nothing was changed; run again")
    if "no space left on device" in low:
        return GateError("trivy ran out of disk space", where=reason, mend="make room; nothing was changed")
    # It asks once more without a login, so that a refusal stands beside this.
    if "manifest_unknown" in low or "manifest unknown" in low or "name_unknown" in low:
        mend = "was it deleted after the push? Push it again; nothing was changed"
        return GateError("the image is not in the registry", where=reason, mend=mend)
    if "unauthorized" in low or "authentication required" in low or "denied" in low:
        mend = "check `registry.username` and the secret REGISTRY_PASSWORD; nothing was changed"
        return GateError("the registry refused trivy's login", where=reason, mend=mend)
    return GateError(f"trivy failed with status {exit_status}: {reason[-1000:]}", mend="nothing was changed")


def read_database(cache: Path) -> Database:
    """Return the date and origin of the database below `cache`; without a date when it is missing or unreadable."""
    if not (cache / "db" / "trivy.db").is_file():
        return Database(updated_at=None)
    try:
        metadata: dict[str, Any] = json.loads((cache / "db" / "metadata.json").read_text(encoding="utf-8"))
        updated = datetime.fromisoformat(str(metadata["UpdatedAt"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Database(updated_at=None)
    return Database(updated_at=updated.astimezone(UTC), origin=str(metadata.get(ORIGIN_FIELD, "vendor")))
