"""Where a stack's backend is, in a form that can be shown: without credentials and options."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.adapters.backend import backend_url

if TYPE_CHECKING:
    from collections.abc import Mapping


def place_of(url: str) -> str:
    """Return where a backend is, without its options: enough to tell a move from a removal."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def backend_place(environ: Mapping[str, str]) -> str:
    """Return where the backend is that `environ` and the project name."""
    return place_of(backend_url(environ))
