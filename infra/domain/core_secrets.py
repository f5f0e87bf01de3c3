"""What the data services of a host need to know, taken from the addresses that the app gets: one truth for both."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


def core_secrets(values: Mapping[str, str]) -> dict[str, str]:
    """Return user, password and database of Postgres and the password of Redis from the app's two URLs."""
    database = urlsplit(values["DATABASE_URL"])
    redis = urlsplit(values["REDIS_URL"])
    return {
        "POSTGRES_USER": unquote(database.username or "acp"),
        "POSTGRES_PASSWORD": unquote(database.password or ""),
        "POSTGRES_DB": database.path.lstrip("/") or "acp",
        "REDIS_PASSWORD": unquote(redis.password or ""),
    }
