"""The clearance: what the gate lets a host start, in one signed text that the host reads again itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT = 1
VALID_SECONDS = 3600


def clearance_text(spec: Mapping[str, Any], *, run_id: str, now_unix_seconds: float, is_warm_only: bool = False) -> str:
    """Return the text to be signed: the whole release document, the digests it may use, and how long it counts.

    One that is for a warm start only lets a host start the containers it has kept of the release, and make none.
    """
    document = {
        "format": FORMAT,
        "stack": spec["stack"],
        "release": spec["release"],
        "run_id": run_id,
        "images": sorted(spec["images"]),
        "issued_unix_seconds": int(now_unix_seconds),
        "expires_unix_seconds": int(now_unix_seconds) + VALID_SECONDS,
        "spec": spec,
        **({"warm_only": True} if is_warm_only else {}),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def unscanned(images: Iterable[str], reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the problem of every image that no passed scan is about."""
    scanned = {report["image"] for report in reports if report.get("passed") is True}
    return [f"{image} was not scanned" for image in sorted(images) if image not in scanned]
