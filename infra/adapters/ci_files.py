"""The files through which a step speaks to a GitHub runner; by hand they are not there, and nothing is written."""

from __future__ import annotations

import os
import re
from pathlib import Path

from infra.errors import UsageError

OUTPUT_FILE = "GITHUB_OUTPUT"
SUMMARY_FILE = "GITHUB_STEP_SUMMARY"
NAME = re.compile(r"[a-z][a-z0-9_]*")


def set_output(name: str, value: str) -> None:
    """Give later steps and jobs `value` under `name`; a value of several lines could forge another output."""
    if not NAME.fullmatch(name) or "\n" in value or "\r" in value:
        raise UsageError(f"the step output {name!r} is not one line", mend="this is a fault of the program")
    _append(OUTPUT_FILE, f"{name}={value}\n")


def add_summary(markdown: str) -> None:
    """Add to the summary of the job."""
    _append(SUMMARY_FILE, markdown.rstrip("\n") + "\n\n")


def _append(variable: str, text: str) -> None:
    name = os.environ.get(variable)
    if name:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(text)
