"""The GitHub Environments of a stack and the secrets that each needs, by the names that workflows give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.settings.keys import DEPLOY, key_files
from infra.settings.secrets import required_names

if TYPE_CHECKING:
    from infra.settings.model import Settings

PREVIEW_SUFFIX = "-preview"
"""Of the Environment for plans, drift and documentation: main's own code, which changes nothing."""
PULL_REQUEST_SUFFIX = "-pull-request"
"""Of the Environment for previews of pull requests, whose code nobody has reviewed yet."""
REGISTRY_ENVIRONMENT = "registry"
"""What build, scan and sign belong to: it holds the password of a registry of one's own, and nothing else."""

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 - the name of a secret
ACCESS_TOKEN = "PULUMI_ACCESS_TOKEN"  # noqa: S105 - the name of a secret
REGISTRY_PASSWORD = "REGISTRY_PASSWORD"  # noqa: S105 - the name of a secret
TOKEN_REGISTRY = "ghcr.io"  # noqa: S105 - a registry
"""The registry that a run's own token logs in to."""


def ci_secrets(settings: Settings) -> frozenset[str]:
    """Return the names that an update or a plan needs; shared ones have no prefix."""
    by_token = () if has_own_registry(settings) else (REGISTRY_PASSWORD,)
    own = {_name(settings, name) for name in required_names(settings) if name not in by_token}
    return frozenset({*own, *key_files(settings), PASSPHRASE})


def looking_secrets(settings: Settings) -> frozenset[str]:
    """Return the names that a job needs which only asks record and hosts, and tells people."""
    told = {_name(settings, name) for name in settings.notifications.secret_names}
    return frozenset({*told, settings.secrets.prefix + DEPLOY, PASSPHRASE})


def optional_secrets(settings: Settings) -> frozenset[str]:
    """Return the names that workflows hand over where they are set: not every registry and backend needs them."""
    return frozenset({registry_password(settings), ACCESS_TOKEN})


def registry_password(settings: Settings) -> str:
    """Return the name of the registry's password."""
    return _name(settings, REGISTRY_PASSWORD)


def has_own_registry(settings: Settings) -> bool:
    """Return whether the registry wants a password of its own, as a run's token is none there."""
    return settings.registry.server != TOKEN_REGISTRY


def _name(settings: Settings, name: str) -> str:
    """Return a secret's name as workflows have it."""
    return name if name in settings.secrets.shared else settings.secrets.prefix + name
