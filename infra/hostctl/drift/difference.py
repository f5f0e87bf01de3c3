"""One difference between what is and what should be, with its mend."""

from __future__ import annotations

from dataclasses import dataclass

REPAIR = "`acp-release status --repair --stack STACK`"


@dataclass(frozen=True)
class Difference:
    """What differs, in words, and what puts it right; `repair` of this host does so when `is_repairable`."""

    what: str
    mend: str = REPAIR

    @property
    def is_repairable(self) -> bool:
        """Return whether `repair` mends it."""
        return self.mend.startswith(REPAIR)

    def to_json(self) -> dict[str, str]:
        """Return it as a status shows it."""
        return {"what": self.what, "mend": self.mend}
