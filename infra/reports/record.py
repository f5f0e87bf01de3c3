"""From an entry of a stack's record to the document that a page is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

COPIED = (
    "release", "version", "run_id", "strategy", "started_at", "ended_at", "images", "checks", "load", "regression",
    "resources", "certificate", "timeline", "warnings",
)  # fmt: skip


def document_of(entry: Mapping[str, Any], stack: str) -> dict[str, Any]:
    """Return the document of a recorded release; only what was committed is recorded."""
    return {
        **{key: entry[key] for key in COPIED if key in entry},
        "outcome": "released",
        "stack": stack,
        "previous": entry.get("replaced", ""),
    }
