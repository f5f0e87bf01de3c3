"""What CopyToRemote copies: a file, a text or a folder of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.toolchain.plugins.common.assets import ASSET, KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file or folder (`path`), or a text; `content_hash` is the engine's."""

    path: str | None
    text: str | None
    content_hash: str


def source_problem(source: Any) -> str:
    """Return why a plain `source` input cannot be copied, or nothing."""
    if not isinstance(source, dict) or KEPT not in source:
        return "either asset or archive must be set"
    if source[KEPT] == ASSET:
        return "" if "path" in source or "text" in source else "asset must be a path-based file asset or a text asset"
    return "" if "path" in source else "archive must be a path to a file or directory"


def parse_source(source: dict[str, Any]) -> Source:
    """Return a plain `source` input as values."""
    path = source.get("path") or None
    return Source(path=path, text=None if path else source.get("text", ""), content_hash=source.get("hash", ""))
