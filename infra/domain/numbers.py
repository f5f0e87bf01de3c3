"""Numbers as they were before the Pulumi engine, which knows only one kind."""

from __future__ import annotations

from typing import Any


def whole_numbers(value: Any) -> Any:
    """Return `value` with every whole float in it as an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return value
