"""A rollback while the registry is down: what the gate recorded of that release counts, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.adapters.registry_api import RegistryApi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.settings import Settings
    from infra.settings.secrets import SecretValues


def registry_is_silent(settings: Settings, secrets: SecretValues) -> bool:
    """Return whether nobody answers at the registry's address; a registry that refuses does answer."""
    with RegistryApi.open(settings.registry, secrets["REGISTRY_PASSWORD"]) as api:
        return not api.answers()


def recorded_scan(recorded: Sequence[Mapping[str, Any]], image: str) -> Mapping[str, Any] | None:
    """Return the recorded scan of this very digest that passed, or None."""
    return next((scan for scan in recorded if scan["image"] == image and scan.get("passed") is True), None)


def unsigned_then(recorded: Mapping[str, Any], verifier: str) -> list[str]:
    """Return why the recorded signatures do not count: only those of the signer that is accepted today do."""
    signed_by = recorded.get("signed_by")
    if signed_by == verifier:
        return []
    then = f"it was signed by {signed_by}" if signed_by else "its signatures were not verified"
    return [f"the registry does not answer, and when this release was recorded {then}, not by {verifier}"]
