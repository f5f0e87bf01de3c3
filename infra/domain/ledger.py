"""The ledger: what is recorded of a release, and how the record stays small while the history grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.domain.change import summarise
from infra.domain.numbers import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.domain.origin import Origin
    from infra.domain.release import Release
    from infra.settings import Settings

HISTORY_LENGTH = 50
WHOLE_ENTRIES = 10
BULKY = ("checks", "load", "regression", "resources", "timeline")
FIGURES = {"p99_ms": "p99_ms", "sent": "sent", "lost": "failed", "longest_gap_ms": "longest_gap_ms"}
"""What the history shows of a certificate, and what it is called there."""

JUDGED = ("checks", "load", "regression")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Who made a release, from when to when (ISO 8601), and over which release.

    `fingerprints` are those of today's secrets; `summary` is the recorded one of a release that is gone back to.
    """

    origin: Origin
    started_at: str
    ended_at: str
    replaced: str = ""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)


def entry_of(
    settings: Settings,
    *,
    release: Release,
    run_id: str,
    report: Mapping[str, Any],
    platform: Mapping[str, str],
    gate: Mapping[str, Any],
    run: Run,
) -> dict[str, Any]:
    """Return the record of one release: everything that a rollback needs and an auditor asks, no secret value."""
    told = {key: value for key, value in whole_numbers(dict(report)).items() if key != "previous"}
    # Where a rollback had to pull, containers were made anew: they have the secrets of today, not those of then.
    is_anew = bool(settings.rollback_to) and not all((told.get("warm") or {"": False}).values())
    prints = dict(run.fingerprints if is_anew else release.fingerprints)
    judged = {"gate": whole_numbers(gate), "checks": [], "timeline": {}, "warnings": [], **told}
    return {
        "release": release.id,
        "version": release.version,
        "kind": kind_of(settings),
        "outcome": "succeeded",
        "replaced": run.replaced,
        "run_id": run_id,
        **run.origin.to_json(),
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "images": {ref.name: ref.pinned for ref in release.images},
        "platform": dict(platform),
        "fingerprints": prints,
        "spec": dict(release.spec),
        "settings": settings.of_release(),
        "hosts": host_keys(settings),
        "summary": {**(run.summary or release_summary(settings, release)), "secrets": prints},
        "strategy": "blue-green" if settings.rollback_to else settings.rollout.strategy,
        **judged,
        "verdicts": verdicts(judged),
        "figures": figures(judged),
    }


def kind_of(settings: Settings) -> str:
    """Return what kind of update the settings ask for."""
    return "rollback" if settings.rollback_to else "promotion" if settings.image_tag else "release"


def host_keys(settings: Settings) -> dict[str, str]:
    """Return the pinned key of every host by its name: another key is another machine."""
    return {host.name: host.host_key for host in settings.hosts}


def verdicts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdicts of an entry in a few words each: the scan of each image, and how many checks passed."""
    found: dict[str, Any] = {}
    scans = (entry.get("gate") or {}).get("scans") or []
    if scans:
        found["scans"] = {scan["name"]: _scan_verdict(scan) for scan in scans}
    for name in JUDGED:
        rows = [row for row in _rows(entry.get(name)) if "passed" in row]
        if rows:
            passed = sum(bool(row["passed"]) for row in rows)
            found[name] = {"passed": passed, "failed": len(rows) - passed}
    return found


def figures(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return what was measured while the release took over, from the certificate of its rollout."""
    certificate = entry.get("certificate")
    measured = certificate if isinstance(certificate, dict) else {}
    return {name: measured[key] for name, key in FIGURES.items() if isinstance(measured.get(key), (int, float))}


def push(history: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the history with `entry` on top; of older entries only what a rollback and an auditor need is kept.

    What is left out of an older entry is in the checkpoint that its own update left.
    """
    newest, rest = history[: WHOLE_ENTRIES - 1], history[WHOLE_ENTRIES - 1 : HISTORY_LENGTH - 1]
    return [dict(entry), *(dict(kept) for kept in newest), *(_compact(old) for old in rest)]


def release_summary(settings: Settings, release: Release) -> dict[str, Any]:
    """Return what a later release is compared with."""
    return summarise(
        {ref.name: ref.tag for ref in release.images},
        settings.environment,
        release.fingerprints,
        settings_services(settings),
    )


def settings_services(settings: Settings) -> list[dict[str, Any]]:
    """Return name, replicas and limits of every service."""
    return [
        {
            "name": name,
            "replicas": service.replicas,
            "memory_bytes": int(service.memory_bytes),
            "cpus": service.cpus,
            "drain_timeout_seconds": service.drain_timeout_seconds,
        }
        for name, service in settings.services.items()
    ]


def _compact(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in BULKY}


def _scan_verdict(scan: Mapping[str, Any]) -> str:
    accepted = f"accepted: {scan['accepted_risk']}" if scan.get("accepted_risk") else ""
    waived = f"{len(scan['waivers'])} waived" if scan.get("waivers") else ""
    counts = ", ".join(f"{severity} {sum(count.values())}" for severity, count in (scan.get("findings") or {}).items())
    details = "; ".join(part for part in (counts or "nothing found", waived, accepted) if part)
    return f"{'passed' if scan.get('passed') else 'blocked'}: {details}"


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
