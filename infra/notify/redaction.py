"""What must not be in a notice: the values of secrets, and passwords in addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.adapters.process import REDACTED, redact
from infra.errors import ReleaseError
from infra.paths import PROJECT_ROOT
from infra.settings.secrets import find_secret, read_secrets, required_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.settings import Settings

CREDENTIAL = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIALS?|_KEY)$")
IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]+:[^\s/@]+(?=@)")
SHORTEST_PART = 6
"""A shorter part of an address is too likely to be an ordinary word."""


class Redactor:
    """Takes the secrets of a stack and of this process's environment out of texts."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        """Collect what must not be seen."""
        whole = {*_stack_secrets(settings, environ), *(v for k, v in environ.items() if CREDENTIAL.search(k) and v)}
        self._values = {part for value in whole for part in _parts(value)}

    def __call__(self, text: str) -> str:
        """Return `text` without them."""
        return IN_ADDRESS.sub(REDACTED, redact(text, self._values))


def _stack_secrets(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Return the values of the stack's secrets; where some are missing, of those that are there."""
    try:
        return list(read_secrets(settings, environ, root=PROJECT_ROOT).values.values())
    except ReleaseError:
        return [value for name in required_names(settings) if (value := find_secret(settings, name, environ))]


def _parts(value: str) -> Iterator[str]:
    """Yield a secret, and what is secret in it when it is an address; `redact` knows its lines and other forms."""
    yield value
    try:
        address = urlsplit(value)
        parts = (address.password or "", address.path.strip("/"), address.query)
    except ValueError:
        return
    if address.scheme and address.netloc:
        yield from (part for part in parts if len(part) >= SHORTEST_PART)
