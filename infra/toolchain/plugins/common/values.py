"""Property values of the SDK as plain Python values and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

Properties: TypeAlias = dict[str, PropertyValue]

UNKNOWN: str = rpc.UNKNOWN


def own_type(token: str) -> str:
    """Return a resource's own type: the SDK hands over the one of its URN, which begins with its parents' types."""
    return token.rpartition("$")[2]


def plain(value: PropertyValue) -> Any:
    """Return `value` without secret marks: None, bool, float, str, list or dict."""
    inner = value.value
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [plain(item) for item in inner]
    return inner


def plain_properties(properties: Properties) -> dict[str, Any]:
    """Return all properties as plain values, without those that are null."""
    return {key: plain(value) for key, value in properties.items() if value.value is not None}


def wrap(value: Any, *, secret: bool = False) -> PropertyValue:
    """Return a plain value as a property value, marked secret on request."""
    inner: Any = value
    if isinstance(value, Mapping):
        inner = {str(key): wrap(item) for key, item in value.items()}
    elif isinstance(value, Sequence) and not isinstance(value, str):
        inner = [wrap(item) for item in value]
    elif isinstance(value, int) and not isinstance(value, bool):
        inner = float(value)
    return PropertyValue(inner, is_secret=secret)


def unknown() -> PropertyValue:
    """Return the value that a preview shows for what only the real run can know."""
    return PropertyValue(UNKNOWN)


def holds_unknown(value: Any) -> bool:
    """Say whether a plain value is unknown, or has an unknown inside."""
    if isinstance(value, dict):
        return any(holds_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def has_secret(properties: Properties, *keys: str) -> bool:
    """Say whether any of these properties is or holds a secret."""
    return any(key in properties and properties[key].contains_secret() for key in keys)
