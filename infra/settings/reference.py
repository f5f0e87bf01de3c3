"""The key reference in docs/settings.md, generated from the model: `python -m infra.settings.reference --write`."""

from __future__ import annotations

import sys
import types
import typing
from typing import Any

from pydantic import BaseModel, ByteSize
from pydantic_core import PydanticUndefined

from infra.paths import PROJECT_ROOT
from infra.settings.model import Settings

PLAIN: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "boolean", ByteSize: "size", Any: "value"}
MARKS: dict[Any, str] = {tuple: "[]", dict: ".<name>"}
PAGE = PROJECT_ROOT / "docs" / "settings.md"
HEAD = """# Settings of a stack

Generated from `infra/settings` (`python -m infra.settings.reference --write`); a test compares the two.

Each key stands under `config:` in `stacks/Pulumi.<stack>.yaml` with the prefix `acp:`, as `acp:rollout`. Unknown keys
are refused, and all problems of a file are reported at once, each with its path. Sizes take units (`512MiB`).

For one update only, the environment may say `ACP_VERSION`, `ACP_IMAGE_TAG` or `ACP_ROLLBACK_TO`.

| key | type | default | meaning |
|---|---|---|---|
"""


def render() -> str:
    """Return the page."""
    return HEAD + "".join(
        f"| `{key}` | {kind} | {default} | {text} |\n" for key, kind, default, text in _rows(Settings)
    )


def _rows(model: type[BaseModel], prefix: str = "") -> list[tuple[str, str, str, str]]:
    """Return key, type, default and description of every field, nested ones with their path."""
    hints = typing.get_type_hints(model)
    rows: list[tuple[str, str, str, str]] = []
    for name, field in model.model_fields.items():
        if not prefix and name == "stack":
            continue
        path = f"{prefix}{name}"
        nested, suffix = _nested(hints[name])
        rows.append((path + suffix, _kind(hints[name]), _default(field), (field.description or "").replace("|", "\\|")))
        if nested is not None:
            rows += _rows(nested, f"{path}{suffix}.")
    return rows


def _nested(hint: Any) -> tuple[type[BaseModel] | None, str]:
    """Return the model inside a type, and how its path is written: `[]` in lists, `.<name>` in mappings."""
    arguments = typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint, ""
    origin = typing.get_origin(hint)
    for argument in arguments:
        inner, suffix = _nested(argument)
        if inner is not None:
            mark = MARKS.get(origin, "")
            return inner, mark + suffix
    return None, ""


def _kind(hint: Any) -> str:
    """Return a type in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " \\| ".join(f"`{value}`" for value in arguments)
    if origin in {typing.Annotated, typing.Union, types.UnionType}:
        return _kind(next(a for a in arguments if a is not type(None)))
    if origin in {tuple, dict}:
        return f"list of {_kind(arguments[0])}s" if origin is tuple else f"mapping to {_kind(arguments[1])}s"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return "mapping"
    return PLAIN.get(hint, str(hint))


def _default(field: Any) -> str:
    """Return a default as a stack file would have it, or that there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, tuple | dict):
        return _several(value)
    if isinstance(value, ByteSize):
        return f"`{value.human_readable()}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _several(value: tuple[Any, ...] | dict[str, Any]) -> str:
    """Return a default of several values; sections by their names alone."""
    if isinstance(value, dict):
        return ", ".join(f"`{name}`" for name in value) if _has_sections(value) else f"`{value}`"
    return f"`[{', '.join(map(str, value))}]`"


def _has_sections(value: dict[str, Any]) -> bool:
    return any(isinstance(item, BaseModel) for item in value.values())


def main() -> None:
    """Print the page, or write it with `--write`."""
    if "--write" in sys.argv[1:]:
        PAGE.write_text(render(), encoding="utf-8")
    else:
        sys.stdout.write(render())


if __name__ == "__main__":
    main()
