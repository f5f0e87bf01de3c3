"""Whether the registry is down: a rollback goes by what the gate recorded then (infra/domain/recorded_gate.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.adapters.registry_api import RegistryApi

if TYPE_CHECKING:
    from infra.settings import Settings
    from infra.settings.secrets import SecretValues


def registry_is_silent(settings: Settings, secrets: SecretValues) -> bool:
    """Return whether nobody answers at the registry's address; a registry that refuses does answer."""
    with RegistryApi.open(settings.registry, secrets["REGISTRY_PASSWORD"]) as api:
        return not api.answers()
