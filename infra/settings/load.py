"""From a stack file (or Pulumi's view of it) to validated settings; every problem at once, each with its path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from infra.domain.text_form import from_text
from infra.errors import SettingsError
from infra.settings.model import Settings
from infra.settings.public_ports import clash_problems, port_problems
from infra.settings.references import reference_problems

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAMESPACE = "acp"
ROLLBACK_VARIABLE = "ACP_ROLLBACK_TO"
SKIP_VARIABLE = "ACP_SKIP_HOSTS"
OVERRIDES = {
    "ACP_VERSION": "version",
    "ACP_IMAGE_TAG": "image_tag",
    ROLLBACK_VARIABLE: "rollback_to",
    SKIP_VARIABLE: "skip_hosts",
}
RISK_VARIABLE = "ACP_ACCEPT_RISK"
APPROVED_VARIABLE = "ACP_APPROVED_RELEASE"
INVENTORY_KEYS = ("hosts", "ssh", "registry")


def load_stack_file(stack: str, root: Path, overrides: Mapping[str, str] | None = None) -> Settings:
    """Read `stacks/Pulumi.<stack>.yaml` below `root`; raise `SettingsError` naming every problem.

    `overrides` are those of one update (`one_update_overrides`), which win.
    """
    path = root / "stacks" / f"Pulumi.{stack}.yaml"
    source = str(path.relative_to(root))
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = sorted(p.name.split(".")[1] for p in path.parent.glob("Pulumi.*.yaml"))
        raise SettingsError(
            source, [f"there is no stack {stack!r}"], mend=f"name one of: {', '.join(known) or 'none yet'}"
        ) from None
    except yaml.YAMLError as error:
        raise SettingsError(source, [f"is not YAML: {error}"]) from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise SettingsError(source, ["has no `config:` mapping"])
    given = overrides or {}
    names = [name for name, key in OVERRIDES.items() if f"{NAMESPACE}:{key}" in given]
    source = " with ".join([source, *names])
    return load_settings(stack, {**config, **given}, root=root, source=source)


def settings_of(props: Mapping[str, Any]) -> Settings:
    """Return the settings that a resource was given, as the program validated them."""
    return Settings.model_validate(from_text(props["settings"]))


def one_update_overrides(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the environment asks of this update alone, by the variables of `OVERRIDES`.

    `ACP_SKIP_HOSTS` is a JSON list of names, the others are plain text.
    One that is set and empty is refused: a CI job whose tag got lost on the way must not build instead.
    """
    empty = [f"{name} is set and empty" for name in OVERRIDES if environ.get(name) == ""]
    if empty:
        raise SettingsError("the environment", empty, mend="give it a value, or unset it; nothing was changed")
    return {f"{NAMESPACE}:{key}": environ[name] for name, key in OVERRIDES.items() if environ.get(name)}


def load_settings(stack: str, config: Mapping[str, Any], *, root: Path, source: str = "") -> Settings:
    """Validate `acp:`-keys of a Pulumi configuration; values may be JSON text as Pulumi hands them over."""
    source = source or f"stacks/Pulumi.{stack}.yaml"
    problems: list[str] = []
    values: dict[str, Any] = {"stack": stack}
    for key, value in config.items():
        namespace, _, name = key.partition(":")
        if namespace == "pulumi":
            continue
        if namespace != NAMESPACE or not name:
            problems.append(f"{key}: unknown key (keys begin with `{NAMESPACE}:`)")
        elif isinstance(value, dict) and set(value) == {"secure"}:
            problems.append(f"{key}: secrets come from the environment, not from the stack file")
        else:
            values[name] = _decode(value)
    if isinstance(values.get("inventory"), str):
        problems += _merge_inventory(values, root)
    problems += reference_problems(values)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [describe_problem(detail) for detail in error.errors() if not _is_echo(detail)]
    else:
        problems += clash_problems(settings)
        if not problems:
            return settings
    raise SettingsError(source, problems, mend="docs/settings.md lists every key")


def _decode(value: object) -> object:
    """Return what Pulumi flattened to JSON text as the structure it was; leave plain text alone."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _merge_inventory(values: dict[str, Any], root: Path) -> list[str]:
    """Fill hosts, ssh, registry and environment from the inventory where the stack file leaves them out."""
    name = values["inventory"]
    try:
        inventory = json.loads((root / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [f"inventory: {name} does not exist (a lab writes it: `acp-release lab up`)"]
    except OSError as error:
        return [f"inventory: {name} cannot be read: {error.strerror}"]
    except ValueError as error:
        return [f"inventory: {name} is not JSON: {error}"]
    if not isinstance(inventory, dict):
        return [f"inventory: {name} is not a JSON object"]
    problems = [] if "hosts" in values else port_problems(values, inventory.get("public_ports"))
    for key in INVENTORY_KEYS:
        if key in inventory:
            values.setdefault(key, inventory[key])
    return problems


def _is_echo(detail: Any) -> bool:
    """Return whether a list only seems too short because its malformed items, which are reported, were left out."""
    return bool(detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"])


def describe_problem(detail: Any) -> str:
    """Return one pydantic error as `path: message (got value)`."""
    path = ""
    for part in detail["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "unknown key"
    separator = "" if message.startswith("[") else ": "
    got = "" if detail["type"] in {"missing", "value_error", "extra_forbidden"} else f" (got {detail['input']!r})"
    return f"{path}{separator}{message}{got}" if path else f"{message}{got}"
