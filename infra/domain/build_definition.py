"""How an image is built, as one hash: what makes two builds of the same sources differ."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.settings.model import Image

DEFINITION_LABEL = "acp.build.definition"
"""The label of an image that has the hash of its `Image` settings."""


def definition_of(image: Image) -> str:
    """Return the SHA-256 of what the stack file says of a build but for `sources`, which only name the version."""
    said = image.model_dump(mode="json", exclude={"sources"})
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
