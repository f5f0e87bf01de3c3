"""Masking of secret values in anything that is quoted."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "[secret]"
SHORTEST = 4
SHORTEST_LINE = 6
PASSWORD = re.compile(r"://[^\s:@/]*:(\S+?)@(?=[^\s@/]*(?:[/?#\s]|$))")
"""The password in an address; an app quotes it under other schemes as well."""


class Redactor:
    """Replaces the secret values it knows; longer ones first, so that no part of one is left."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """Know `values`."""
        self._values: list[str] = []
        self._lock = threading.Lock()
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Know more values and what is secret in them; what is short would mask ordinary text and is skipped."""
        new = {part for value in values for part in _parts(value) if len(part) >= SHORTEST}
        with self._lock:
            if not new <= set(self._values):
                self._values = sorted({*self._values, *new}, key=lambda value: (-len(value), value))

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


def _parts(value: str) -> Iterator[str]:
    """Yield a secret, each line of it and each password in it, as they are and as they stand in JSON.

    A shorter line is too likely to be an ordinary word.
    """
    lines = (line for line in value.splitlines() if len(line) >= SHORTEST_LINE)
    for part in (value, *lines, *_passwords(value)):
        yield part
        yield json.dumps(part)[1:-1]


def _passwords(value: str) -> Iterator[str]:
    """Yield each password of the addresses in a secret, as it is written, as it is meant, and as others write it.

    One that is too short to be masked everywhere is masked where it stands in an address.
    """
    for found in PASSWORD.findall(value):
        meant = unquote(found)
        for password in {found, meant, quote(meant, safe="")}:
            yield password if len(password) >= SHORTEST else f":{password}@"
