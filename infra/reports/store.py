"""Where the reports of releases are: `reports/releases/<stack>/<release>.html`, beside it what it was made from.

The newest run of a release has these names; what an earlier run left is kept as `<release>.<run>.html`.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from infra.errors import SettingsError, UsageError
from infra.paths import PROJECT_ROOT
from infra.reports.page import render_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = PROJECT_ROOT / "reports" / "releases"
UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
SAFE_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")


def write_report(document: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Write the page of a release and its document; return the page's path. Another run's page is put beside it."""
    page = _path(document["stack"], document["release"], folder)
    rendered = render_page(document)
    page.parent.mkdir(parents=True, exist_ok=True)
    _keep_other_run(page, str(document.get("run_id") or ""))
    _write(page.with_suffix(".json"), json.dumps(document, indent=1) + "\n")
    _write(page, rendered)
    return page


def read_report(stack: str, release: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """Return the document of a release's newest run on this machine, None when there is none.

    Raises `SettingsError` when its file is damaged.
    """
    return _read(_path(stack, release, folder).with_suffix(".json"))


def _read(path: Path) -> dict[str, Any] | None:
    """Return the document in a file, None without the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise SettingsError(
            str(path),
            ["is no whole JSON document, as an update that was killed may leave it"],
            mend="remove the file; what is recorded of the release is shown then",
        )
    return document


def _write(path: Path, text: str) -> None:
    """Write a file so that a reader finds the whole of the old or of the new text."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _keep_other_run(page: Path, run_id: str) -> None:
    """Give the page and document of another run a name of their own: they are the evidence of how it went."""
    document = page.with_suffix(".json")
    try:
        found = _read(document)
    except SettingsError:
        found = {"run_id": "unreadable"}
    other = str((found or {}).get("run_id") or "")
    if found is None or other == run_id:
        return
    for path in (document, page):
        if path.exists():
            path.replace(path.with_name(f"{page.stem}.{UNSAFE.sub('-', other) or 'unknown'}{path.suffix}"))


def _path(stack: str, release: str, folder: Path) -> Path:
    for name in (stack, release):
        if not SAFE_NAME.match(name):
            raise UsageError(
                f"{name!r} is no name of a stack or a release", mend="`acp-release history --stack STACK` lists them"
            )
    # Not `with_suffix`: a release id has dots of its own.
    return folder / stack / f"{release}.html"
