"""hostctl's own version: the release number and a hash of its source, put into the zipapp when it is built."""

from __future__ import annotations

import pkgutil

SEMANTIC = "0.1.0"


def version() -> str:
    """Return the version of this copy; a copy that runs from its source says so."""
    try:
        content = pkgutil.get_data(__package__ or "hostctl", "VERSION")
    except OSError:
        content = None
    return content.decode().strip() if content else f"{SEMANTIC}+source"
