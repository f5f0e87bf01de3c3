"""What programs that are started from here get of this process's environment: none of a stack's secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What every program needs."""
PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"})
"""Names that programs know in lower case too."""
OWN = ("DOCKER_", "BUILDX_", "XDG_")
"""How names begin that say where a program's own files and the engine are."""


def plain_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that every program needs; `base` is the environment, by default this process's."""
    environ = os.environ if base is None else base
    return {name: environ[name] for name in PLAIN if name in environ}


def kept_environment(*prefixes: str, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that a program which talks to a registry needs: paths, trust, proxies and Docker's own.

    `prefixes` are beginnings of more names to keep; `base` is the environment, by default this process's.
    """
    environ = os.environ if base is None else base
    more = {
        name: value for name, value in environ.items() if name.upper() in PROXIES or name.startswith((*OWN, *prefixes))
    }
    return plain_environment(environ) | more
