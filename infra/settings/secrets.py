"""The secrets of a stack: read from the environment by name, masked wherever they are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.domain.core_secrets import core_problems
from infra.errors import SecretMissingError, SettingsError
from infra.lab.seed import derive, read_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.settings.model import Settings


REGISTRY_PASSWORD = "REGISTRY_PASSWORD"  # noqa: S105 - the name of a secret
IMAGE_KEY_PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - the name of a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretValues:
    """Names and values; only the names are ever shown."""

    values: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        """Return the value of `name`."""
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.values)

    def subset(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return the values of `names`."""
        return {name: self.values[name] for name in names}


def read_secrets(
    settings: Settings, environ: Mapping[str, str], *, root: Path, names: tuple[str, ...] | None = None
) -> SecretValues:
    """Return every required secret, or only `names`; raise `SecretMissingError` naming all that are missing."""
    derived = _derived(settings, root)
    values: dict[str, str] = {}
    missing: list[str] = []
    for name in required_names(settings) if names is None else names:
        wanted = environment_names(settings, name)
        found = find_secret(settings, name, environ) or derived.get(name)
        if found:
            values[name] = found
        else:
            missing.append(" or ".join(wanted))
    if missing:
        raise SecretMissingError(
            f"the environment of stack {settings.stack}",
            [f"{name} is not set" for name in missing],
            mend="export them (README, Secrets), then run again; nothing was changed",
        )
    return SecretValues(values=values)


def refuse_wrong_core(settings: Settings, secrets: SecretValues) -> None:
    """Raise `SettingsError` where the app's addresses do not lead to the stack's own data services; no value is shown.

    They are set up with user, password and database of these addresses.
    """
    if settings.core is None:
        return
    found = core_problems(secrets.values, settings.core.images)
    if found:
        raise SettingsError(
            f"the environment of stack {settings.stack}",
            [f"{' or '.join(environment_names(settings, name))} {problem}" for name, problem in found.items()],
            mend="docs/adopting.md, Set the secrets, or leave `core` out; nothing was changed",
        )


def required_names(settings: Settings) -> tuple[str, ...]:
    """Return every name that must have a value; the image key's password only where this runner has that key."""
    return (*_generated_names(settings), *settings.notifications.secret_names)


def find_secret(settings: Settings, name: str, environ: Mapping[str, str]) -> str | None:
    """Return a secret from the environment, if it is there."""
    return next((environ[wanted] for wanted in environment_names(settings, name) if environ.get(wanted)), None)


def _generated_names(settings: Settings) -> tuple[str, ...]:
    """Return the names that a lab can make values for: an address of somebody else's is not among them."""
    signing = settings.gate.signing
    return (*settings.secrets.required, *((IMAGE_KEY_PASSWORD,) if signing and signing.image_key_file else ()))


def environment_names(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the variables that may hold secret `name`, the most specific first."""
    own = settings.secrets.prefix + name
    return (own, name) if name in settings.secrets.shared and own != name else (own,)


def _derived(settings: Settings, root: Path) -> dict[str, str]:
    """Return the generated secrets of a disposable stack: random values from its seed, addresses from its inventory."""
    folder = root / settings.secrets.lab_folder if settings.secrets.lab_folder else None
    if folder is None or not folder.exists():
        return {}
    seed = read_seed(folder)
    values = {name: derive(seed, name) for name in _generated_names(settings)}
    values["DATABASE_URL"] = f"postgresql://acp:{derive(seed, 'POSTGRES_PASSWORD')}@postgres:5432/acp"
    values["REDIS_URL"] = f"redis://:{derive(seed, 'REDIS_PASSWORD')}@redis:6379/0"
    if settings.inventory:
        inventory = json.loads((root / settings.inventory).read_text(encoding="utf-8"))
        values.update(inventory.get("environment", {}))
    return values
