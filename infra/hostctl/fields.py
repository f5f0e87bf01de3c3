"""Reading of JSON objects field by field: every problem is collected with its path, unknown fields are problems too."""

from __future__ import annotations

import re
from typing import Any

from .errors import HostctlError

MISSING = object()


class Fields:
    """One JSON object being read; `done()` raises all problems of it and of the objects inside it."""

    def __init__(self, value: Any, path: str = "", problems: list[str] | None = None) -> None:
        """Read `value`, which should be an object, found at `path`."""
        self.path = path
        self.problems: list[str] = [] if problems is None else problems
        self._taken: set[str] = set()
        if not isinstance(value, dict):
            self.problem("", f"must be an object (got {_kind(value)})")
            value = {}
        self._value: dict[str, Any] = value

    def problem(self, name: str, text: str) -> None:
        """Record a problem of the field `name`."""
        path = ".".join(part for part in (self.path, name) if part) or "request"
        self.problems.append(f"{path}: {text}")

    def has(self, name: str) -> bool:
        """Return whether the field is there and not null."""
        return self._value.get(name) is not None

    def take(self, name: str, default: Any = MISSING) -> Any:
        """Return a field's raw value; null counts as absent."""
        self._taken.add(name)
        value = self._value.get(name)
        if value is None:
            if default is MISSING:
                self.problem(name, "is required")
                return None
            return default
        return value

    def text(self, name: str, default: Any = MISSING, *, pattern: str = r"[\s\S]+", hint: str = "") -> str:
        """Return a string that matches `pattern` as a whole."""
        value = self.take(name, default)
        if value is default or value is None:
            return value if isinstance(value, str) else ""
        if not isinstance(value, str):
            self.problem(name, f"must be text (got {_kind(value)})")
            return ""
        if not re.fullmatch(pattern, value):
            self.problem(name, hint or f"must match {pattern}")
        return value

    def integer(self, name: str, default: Any = MISSING, *, least: int = 0, most: int = 2**62) -> int:
        """Return a whole number within bounds."""
        value = self.take(name, default)
        if value is default or value is None:
            return value if isinstance(value, int) else 0
        if isinstance(value, bool) or not isinstance(value, int):
            self.problem(name, f"must be a whole number (got {_kind(value)})")
            return least
        if not least <= value <= most:
            self.problem(name, f"must be {least}..{most} (got {value})")
        return value

    def number(self, name: str, default: Any = MISSING, *, above: float = 0.0, most: float = 1e9) -> float:
        """Return a number that is greater than `above` and at most `most`."""
        value = self.take(name, default)
        if value is default or value is None:
            return float(value) if isinstance(value, (int, float)) else above
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.problem(name, f"must be a number (got {_kind(value)})")
            return above
        if not above < value <= most:
            self.problem(name, f"must be more than {above:g} and at most {most:g} (got {value:g})")
        return float(value)

    def flag(self, name: str, default: Any = MISSING) -> bool:
        """Return a boolean."""
        value = self.take(name, default)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.problem(name, f"must be true or false (got {_kind(value)})")
        return False

    def object(self, name: str, *, optional: bool = False) -> Fields | None:
        """Return a reader of an object field, or None when it is optional and absent."""
        value = self.take(name, None if optional else MISSING)
        if value is None:
            return None
        return Fields(value, self._at(name), self.problems)

    def objects(self, name: str, *, optional: bool = False) -> list[Fields]:
        """Return readers of a list of objects."""
        return [
            Fields(item, f"{self._at(name)}[{index}]", self.problems)
            for index, item in enumerate(self._list(name, optional=optional))
        ]

    def texts(self, name: str, *, optional: bool = False, pattern: str = r"[\s\S]+", hint: str = "") -> tuple[str, ...]:
        """Return a list of strings."""
        return tuple(
            item
            for index, item in enumerate(self._list(name, optional=optional))
            if self._is_text(name, index, item, pattern, hint)
        )

    def integers(self, name: str, *, optional: bool = False, least: int = 0, most: int = 2**62) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        items = []
        for index, item in enumerate(self._list(name, optional=optional)):
            if isinstance(item, bool) or not isinstance(item, int) or not least <= item <= most:
                self.problem(f"{name}[{index}]", f"must be a whole number {least}..{most} (got {item!r})")
            else:
                items.append(item)
        return tuple(items)

    def mapping(self, name: str, *, optional: bool = False) -> dict[str, str]:
        """Return an object of strings; values are never quoted in problems."""
        value = self.take(name, {} if optional else MISSING)
        if not isinstance(value, dict):
            if value is not None:
                self.problem(name, f"must be an object (got {_kind(value)})")
            return {}
        for key, item in value.items():
            if not isinstance(item, str):
                self.problem(f"{name}.{key}", f"must be text (got {_kind(item)})")
        return {key: item for key, item in value.items() if isinstance(item, str)}

    def raw_object(self, name: str) -> dict[str, Any]:
        """Return an object that is read elsewhere."""
        value = self.take(name)
        if value is not None and not isinstance(value, dict):
            self.problem(name, f"must be an object (got {_kind(value)})")
        return value if isinstance(value, dict) else {}

    def close(self) -> None:
        """Record every field that nobody asked for."""
        for name in sorted(set(self._value) - self._taken):
            self.problem(name, "is not a known field")

    def done(self) -> None:
        """Close and raise `bad_request` with all problems, if there are any."""
        self.close()
        if self.problems:
            noun = "problem" if len(self.problems) == 1 else "problems"
            lines = "; ".join(self.problems)
            raise HostctlError(
                "bad_request", f"{len(self.problems)} {noun} in the request: {lines}", problems=self.problems
            )

    def _at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def _list(self, name: str, *, optional: bool) -> list[Any]:
        """Return a field that should be a list."""
        value = self.take(name, [] if optional else MISSING)
        if isinstance(value, list):
            return value
        if value is not None:
            self.problem(name, f"must be a list (got {_kind(value)})")
        return []

    def _is_text(self, name: str, index: int, item: Any, pattern: str, hint: str) -> bool:
        """Record a problem unless a list's item is a string that matches."""
        if isinstance(item, str) and re.fullmatch(pattern, item):
            return True
        self.problem(f"{name}[{index}]", hint or f"must be text that matches {pattern}")
        return False


def _kind(value: Any) -> str:
    """Return how JSON calls the type of a value; the value itself could be a secret."""
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")
