"""Files of the project that the program reads: compose templates and SSH keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from infra.domain.compose_form import form_problems, in_one_form
from infra.errors import SettingsError
from infra.paths import PROJECT_ROOT


def read_compose(name: str) -> dict[str, Any]:
    """Return a compose file of the project, environment and labels as mappings; raise `SettingsError` if it is none."""
    try:
        document = yaml.safe_load((PROJECT_ROOT / name).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(name, [str(error)]) from None
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise SettingsError(name, ["is not a compose file: it has no `services:` mapping"])
    problems = form_problems(document)
    if problems:
        raise SettingsError(name, problems)
    return in_one_form(document)


def key_path(name: str) -> Path:
    """Return a key file's path: `~` expanded, relative to the project."""
    return PROJECT_ROOT / Path(name).expanduser()


def read_key(name: str, setting: str) -> str:
    """Return a key file's text; raise `SettingsError` naming the setting."""
    try:
        return key_path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError("the SSH keys", [f"{setting}: {name}: {error.strerror}"]) from None
