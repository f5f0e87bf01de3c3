"""What a scanner found in an image, and the database it knew it from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Severity(StrEnum):
    """How bad a finding is, the worst first; UNKNOWN is no rank but a finding that nobody judged yet."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    UNKNOWN = "UNKNOWN"


class Kind(StrEnum):
    """What was looked for."""

    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    MISCONFIGURATION = "misconfiguration"
    END_OF_LIFE = "end-of-life"
    UNSCANNED = "unscanned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding; `package` is the package, or the file for a secret or a misconfiguration."""

    kind: Kind
    id: str
    package: str
    severity: Severity
    installed: str = ""
    fixed: str = ""
    title: str = ""
    url: str = ""

    @property
    def fixable(self) -> bool:
        """Whether a version without it is known."""
        return bool(self.fixed)

    def __str__(self) -> str:
        """Return one line for people."""
        version = f" {self.installed}" if self.installed else ""
        mend = f"fixed in {self.fixed}" if self.fixed else "no fix known"
        tail = f" ({mend})" if self.kind is Kind.VULNERABILITY else ""
        title = f": {self.title}" if self.title else ""
        return f"{self.severity} {self.id} in {self.package}{version}{tail}{title}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The vulnerability database of a scan; `origin` is `vendor`, or says what else it is, as `lab`."""

    updated_at: datetime | None
    origin: str = "vendor"

    def __str__(self) -> str:
        """Return date and origin; anything but the vendor's own database is marked as such."""
        date = f"{self.updated_at:%Y-%m-%d %H:%M} UTC" if self.updated_at else "missing"
        return date if self.origin == "vendor" else f"{date}, {self.origin} DATABASE: a small one for tests"
