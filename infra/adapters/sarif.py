"""What code scanning needs on top of Trivy's SARIF: a category per image, fingerprints, and waivers as suppressions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.domain.findings import Database
    from infra.domain.waivers import Waiver

FINGERPRINT = "acpFinding/v1"


def finish(
    document: Mapping[str, Any], *, category: str, database: Database, waivers: Iterable[Waiver]
) -> dict[str, Any]:
    """Return Trivy's SARIF with `category` as its run's id, a stable fingerprint per result, and waivers shown.

    A fingerprint holds what was found where, but no version and no digest: the same finding in the next build is the
    same alert.
    """
    by_rule = {waiver.id: waiver for waiver in waivers}
    runs = [_run(run, category, database, by_rule) for run in document.get("runs") or []]
    return {**document, "runs": runs}


def _run(run: Mapping[str, Any], category: str, database: Database, waivers: Mapping[str, Waiver]) -> dict[str, Any]:
    """Return one run, finished."""
    return {
        **run,
        "automationDetails": {"id": f"{category}/"},
        "properties": {**(run.get("properties") or {}), "vulnerabilityDatabase": str(database)},
        "results": [_result(result, category, waivers) for result in run.get("results") or []],
    }


def _result(result: Mapping[str, Any], category: str, waivers: Mapping[str, Waiver]) -> dict[str, Any]:
    """Return one result with its fingerprint, and with its waiver when it has one for that package."""
    text = str((result.get("message") or {}).get("text", ""))
    package = next((line.partition(": ")[2] for line in text.splitlines() if line.startswith("Package: ")), "")
    places = [
        (location.get("physicalLocation") or {}).get("artifactLocation", {}).get("uri", "")
        for location in result.get("locations") or []
    ]
    seed = "\0".join((category, str(result.get("ruleId", "")), package or ",".join(places)))
    finished = {
        **result,
        "locations": [_relative(location) for location in result.get("locations") or []],
        "partialFingerprints": {FINGERPRINT: hashlib.sha256(seed.encode()).hexdigest()},
    }
    waiver = waivers.get(str(result.get("ruleId", "")))
    if waiver and waiver.package in {package, *places}:
        justification = f"{waiver.reason} ({waiver.owner}, until {waiver.expires})"
        finished["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return finished


def _relative(location: Mapping[str, Any]) -> dict[str, Any]:
    """Return a location whose file is relative, as code scanning takes it; a file in an image begins with a slash."""
    physical = location.get("physicalLocation") or {}
    artifact = physical.get("artifactLocation") or {}
    plain = {**artifact, "uri": str(artifact.get("uri", "")).lstrip("/")}
    return {**location, "physicalLocation": {**physical, "artifactLocation": plain}}
