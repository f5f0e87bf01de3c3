"""Who may vouch for a certificate; the certificate's probe needs no more of TLS, and is to start at once."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def trusting(authority: Path | None) -> ssl.SSLContext:
    """Return the system's trust, and in the authority of a file; raise `SettingsError` when that cannot be read."""
    if authority is None:
        return system_trust()
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=str(authority))
    except (OSError, ssl.SSLError) as error:
        from infra.errors import SettingsError  # noqa: PLC0415 - half of what the probe's start would take

        raise SettingsError("the stack", [f"edge.tls.ca_file: {authority}: {error.strerror or error}"]) from None
    return context


@functools.cache
def system_trust() -> ssl.SSLContext:
    """Return trust in the system's authorities, read once: that takes longer than many a check."""
    # By default nothing older than TLS 1.2 is spoken.
    return ssl.create_default_context()
