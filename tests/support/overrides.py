"""Merging of nested values: what a test changes of a stack file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` laid over it: mappings are merged, None removes a key, anything else replaces."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def nested(**dotted: Any) -> dict[str, Any]:
    """Return a nested mapping from `a__b__c=value`; `_` in a key stays."""
    result: dict[str, Any] = {}
    for path, value in dotted.items():
        result = merged(result, _chain(path.split("__"), value))
    return result


def _chain(keys: list[str], value: Any) -> dict[str, Any]:
    return {keys[0]: value if len(keys) == 1 else _chain(keys[1:], value)}
