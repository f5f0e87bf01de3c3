"""What a release changes, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.numbers import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def describe_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one line per difference between two release summaries (see `summarise`); none when they are equal."""
    versions = old.get("versions", {})
    lines = [
        f"{name} {_version(versions.get(name))} → {_version(new['versions'].get(name))}"
        for name in dict.fromkeys([*new["versions"], *versions])
        if versions.get(name) != new["versions"].get(name)
    ]
    if old:
        lines += _names("environment", old.get("environment", {}), new["environment"])
        lines += _names("secret", old.get("secrets", {}), new["secrets"], show_values=False)
    for service, limits in new["services"].items():
        before = old.get("services", {}).get(service, {})
        lines += [
            f"{service} {key} {whole_numbers(before[key])} → {whole_numbers(value)}"
            for key, value in limits.items()
            if key in before and before[key] != value
        ]
    lines += [f"service {name} added" for name in new["services"] if old and name not in old.get("services", {})]
    lines += [f"service {name} removed" for name in old.get("services", {}) if name not in new["services"]]
    return lines


def summarise(
    versions: Mapping[str, str],
    environment: Mapping[str, str],
    secrets: Mapping[str, str],
    services: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what `describe_change` compares: versions, plain settings, secret fingerprints and limits by service."""
    return {
        "versions": dict(versions),
        "environment": dict(environment),
        "secrets": dict(secrets),
        "services": {
            service["name"]: {
                key: service[key] for key in ("replicas", "memory_bytes", "cpus", "drain_timeout_seconds")
            }
            for service in services
        },
    }


def _version(version: str | None) -> str:
    return version or "(none)"


def _names(kind: str, old: Mapping[str, str], new: Mapping[str, str], *, show_values: bool = True) -> list[str]:
    """Return added, removed and changed names; a secret's fingerprint is never shown."""
    added = [f"{kind} + {name}" for name in new if name not in old]
    removed = [f"{kind} - {name}" for name in old if name not in new]
    changed = [name for name in new if name in old and old[name] != new[name]]
    return (
        added
        + removed
        + [f"{kind} {name} {old[name]} → {new[name]}" if show_values else f"{kind} {name} changed" for name in changed]
    )
