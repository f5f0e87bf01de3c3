"""Random endings for ids and names."""

from __future__ import annotations

import secrets


def with_random_hex(prefix: str, digits: int) -> str:
    """Return `prefix` followed by `digits` random hexadecimal digits."""
    return prefix + secrets.token_hex((digits + 1) // 2)[:digits]
