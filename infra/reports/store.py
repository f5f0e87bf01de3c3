"""Where the reports of releases are: `reports/releases/<stack>/<release>.html`, beside it what it was made from."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from infra.errors import UsageError
from infra.paths import PROJECT_ROOT
from infra.reports.page import render_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = PROJECT_ROOT / "reports" / "releases"
SAFE_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")


def write_report(document: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Write the page of a release and its document; return the page's path."""
    page = _path(document["stack"], document["release"], folder)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    page.write_text(render_page(document), encoding="utf-8")
    return page


def read_report(stack: str, release: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """Return the document of a release on this machine, None when there is none."""
    try:
        text = _path(stack, release, folder).with_suffix(".json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    document: dict[str, Any] = json.loads(text)
    return document


def _path(stack: str, release: str, folder: Path) -> Path:
    for name in (stack, release):
        if not SAFE_NAME.match(name):
            raise UsageError(
                f"{name!r} is no name of a stack or a release", mend="`acp-release history --stack STACK` lists them"
            )
    # Not `with_suffix`: a release id has dots of its own.
    return folder / stack / f"{release}.html"
