"""Which secrets a stack needs of its GitHub Environment, by the names that workflows give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.settings.keys import key_files
from infra.settings.secrets import required_names

if TYPE_CHECKING:
    from infra.settings.model import Settings

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 - the name of a secret
BY_TOKEN = frozenset({"REGISTRY_PASSWORD"})
"""What a run's own token is good for."""


def ci_secrets(settings: Settings) -> frozenset[str]:
    """Return the names; shared ones have no prefix."""
    names = [name for name in required_names(settings) if name not in BY_TOKEN]
    own = {name if name in settings.secrets.shared else settings.secrets.prefix + name for name in names}
    return frozenset({*own, *key_files(settings), PASSPHRASE})
