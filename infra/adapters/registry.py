"""Registry failures in our words."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from infra.errors import ImageMissingError, RegistryError

SILENT_SECONDS = 10.0
"""So long a registry may take to accept a connection; the Docker provider waits half a minute, and that twice."""
HTTPS_PORT = 443


def refuse_silent(server: str) -> None:
    """Raise `RegistryError` where nobody accepts a connection in time; what else is wrong, who logs in will hear.

    Behind a proxy nobody here can tell.
    """
    address = urlsplit(f"//{server}")
    host = address.hostname or server
    if getproxies().get("https") and not proxy_bypass(host):
        return
    try:
        socket.create_connection((host, address.port or HTTPS_PORT), timeout=SILENT_SECONDS).close()
    except TimeoutError:
        raise RegistryError(
            f"the registry did not answer in {SILENT_SECONDS:g} s",
            where=server,
            mend="is it up and reachable from here? Nothing was changed",
        ) from None
    except OSError:
        return


def image_error(reference: str, text: str) -> RegistryError:
    """Return the error for a failed look-up of `reference`, given what the provider said."""
    if re.search(r"\b404\b", text) or "not found" in text.lower() or "manifest unknown" in text.lower():
        return ImageMissingError(
            f"{reference} is not in the registry", mend="push it first, or name a tag that exists; nothing was changed"
        )
    if re.search(r"\b40[13]\b", text) or "unauthorized" in text.lower():
        return RegistryError(
            "the registry refused the login", where=reference,
            mend="check `registry.username` and the secret REGISTRY_PASSWORD; nothing was changed",
        )  # fmt: skip
    if "x509" in text or "certificate" in text.lower():
        return RegistryError(
            "the registry's certificate is not trusted", where=reference,
            mend="add its CA to the system's trusted certificates; nothing was changed",
        )  # fmt: skip
    reason = text.strip().splitlines()[-1] if text.strip() else "no reason given"
    return RegistryError(
        f"the registry did not answer: {reason}", where=reference, mend="is it up and reachable? Nothing was changed"
    )
