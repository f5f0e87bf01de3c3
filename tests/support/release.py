"""A release of the repository's own compose file, with made-up digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from infra.domain.release import ImageRef, Release, build_release
from infra.paths import PROJECT_ROOT
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from infra.settings import Settings


def image(name: str, digit: str = "a", tag: str = "v1.4.2") -> ImageRef:
    """Return an image whose digest is `digit` repeated."""
    return ImageRef(name=name, repository=f"registry.test:5000/acp/{name}", tag=tag, digest=f"sha256:{digit * 64}")


IMAGES = {"acp-ingest": image("acp-ingest", "a"), "acp-agents": image("acp-agents", "b")}


def template() -> dict[str, Any]:
    """Return the app's compose file."""
    document: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "compose" / "app.yaml").read_text(encoding="utf-8"))
    return document


def make_release(
    settings: Settings | None = None,
    *,
    images: dict[str, ImageRef] | None = None,
    version: str = "v1.4.2",
    fingerprints: dict[str, str] | None = None,
    compose: dict[str, Any] | None = None,
) -> Release:
    """Return a release; what is left out is always the same."""
    return build_release(
        settings or make_settings(),
        compose or template(),
        images or IMAGES,
        version=version,
        fingerprints={"SECRET_KEY": "0" * 16} if fingerprints is None else fingerprints,
    )
