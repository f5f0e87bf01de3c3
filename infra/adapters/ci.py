"""What a CI run says of itself in the environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._:/-]+")


def ci_run_id(environ: Mapping[str, str]) -> str | None:
    """Return the id of the CI run and its attempt, None outside of one; those of its updates begin with it."""
    if not environ.get("GITHUB_RUN_ID"):
        return None
    return f"ci-{environ['GITHUB_RUN_ID']}-{environ.get('GITHUB_RUN_ATTEMPT', '1')}"


def ci_run_url(environ: Mapping[str, str]) -> str | None:
    """Return the page of the CI run, None outside of one."""
    parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    url = "{}/{}/actions/runs/{}".format(*parts)
    return url if all(parts) and _ADDRESS.fullmatch(url) else None
