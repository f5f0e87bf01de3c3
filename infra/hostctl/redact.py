"""Masking of secret values in anything that is quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "[secret]"
SHORTEST = 4


class Redactor:
    """Replaces the secret values it knows; longer ones first, so that no part of one is left."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """Know `values`."""
        self._values: list[str] = []
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Know more values; shorter ones than four characters would mask ordinary text and are skipped."""
        known = {*self._values, *(value for value in values if len(value) >= SHORTEST)}
        self._values = sorted(known, key=lambda value: (-len(value), value))

    def text(self, text: str) -> str:
        """Return `text` with every known value masked."""
        for value in self._values:
            text = text.replace(value, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a JSON value with every string in it masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value
