"""What the data services of a host need to know, taken from the addresses that the app gets: one truth for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

ENCODED = "(/, # and ? of a password: %2F, %23, %3F)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreUrl:
    """What the address of a data service on the host has to be: a driver after `+` and a query are the app's own."""

    name: str
    service: str
    schemes: tuple[str, ...]
    needs_password: bool

    def problem(self, value: str, services: Collection[str]) -> str:
        """Return what is surely wrong with it, without any part of it; empty when nothing is."""
        try:
            url = urlsplit(value)
        except ValueError:
            return "is no URL"
        if url.scheme.partition("+")[0] not in self.schemes:
            return f"must begin with {self.schemes[-1]}://"
        host = url.hostname or parse_qs(url.query).get("host", [""])[0]
        if _leads_elsewhere(host) and host not in {service.lower() for service in services}:
            return f"must have the host `{self.service}`, as `core` calls it {ENCODED}"
        lacks_password = self.needs_password and not url.password
        return f"must have a password, with which the service is set up {ENCODED}" if lacks_password else ""


def _leads_elsewhere(host: str) -> bool:
    """Return whether a host is surely none of the network's: an address, a name of DNS, this machine, or nothing.

    Any other name may be one that the compose file of the data services gives them.
    """
    return not host or host == "localhost" or "." in host or ":" in host


CORE_URLS = (
    CoreUrl(name="DATABASE_URL", service="postgres", schemes=("postgres", "postgresql"), needs_password=True),
    CoreUrl(name="REDIS_URL", service="redis", schemes=("rediss", "redis"), needs_password=False),
)


def core_problems(values: Mapping[str, str], services: Collection[str]) -> dict[str, str]:
    """Return what is wrong with the app's two addresses by name, for data services on the host called `services`.

    An address is looked at where its service is among them: a stack may have the other one elsewhere.
    """
    problems = {url.name: "is not in `secrets.names`" for url in CORE_URLS if url.name not in values}
    for url in CORE_URLS:
        if url.service in services and url.name in values and (problem := url.problem(values[url.name], services)):
            problems[url.name] = problem
    return problems


def core_secrets_change(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Return whether the data services get other secrets than the release that serves; both are fingerprints by name.

    They are set up before the release, and refuse the one that serves from then on.
    """
    return any(before.get(url.name, now.get(url.name)) != now.get(url.name) for url in CORE_URLS)


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
