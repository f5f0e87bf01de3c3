"""Who asked for an update, from where, and from which commit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE_FIELDS = ("commit", "branch", "committed_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The author of an update, the CI run and approver when there are any, and the commit; unknown is empty.

    `source` is the repository in CI and the machine otherwise; `committed_at` is when the commit was made (ISO 8601).
    """

    who: str = ""
    source: str = ""
    approver: str = ""
    ci_run: str = ""
    commit: str = ""
    branch: str = ""
    committed_at: str = ""

    def of_release(self, entry: Mapping[str, Any] | None) -> Origin:
        """Return this origin with the commit of a recorded release, which may not be in the checkout at all."""
        recorded = {name: str((entry or {}).get(name) or "") for name in SOURCE_FIELDS}
        return dataclasses.replace(self, **recorded) if entry else self

    def to_json(self) -> dict[str, Any]:
        """Return it as the record has it."""
        return dataclasses.asdict(self)


def ci_origin(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what GitHub Actions and the approval say of a run, by field; empty outside of CI."""
    server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    run = environ.get("GITHUB_RUN_ID", "")
    found = {
        "who": environ.get("GITHUB_ACTOR", ""),
        "source": f"{server}/{repository}" if server and repository else "",
        "ci_run": f"{server}/{repository}/actions/runs/{run}" if server and repository and run else run,
        "branch": environ.get("GITHUB_REF_NAME", ""),
        "approver": environ.get("ACP_APPROVED_BY", ""),
    }
    return {name: value.strip() for name, value in found.items() if value.strip()}
