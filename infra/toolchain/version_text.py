"""Reading version numbers out of what programs print."""

from __future__ import annotations

import re

Version = tuple[int, ...]


def parse(text: str) -> Version | None:
    """Return the first dotted number in `text` as integers, or None."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found.group().split(".")) if found else None


def show(version: Version) -> str:
    """Return `version` as people write it."""
    return ".".join(str(part) for part in version)


def fits(found: Version, wanted: Version, *, exact: bool) -> bool:
    """Tell whether `found` does for `wanted`: the same, or (unless `exact`) newer within the same major version."""
    return found == wanted or (not exact and found >= wanted and found[0] == wanted[0])
