"""Names that hosts, registries and Docker accept, made from names people chose."""

from __future__ import annotations

import hashlib
import re

PROJECT_PREFIX = "acp-"
VERSION_LENGTH = 32
DIGEST_LENGTH = 12
"""Hex digits that tell a version that had to be cut from others that begin alike."""
UNNAMED = "unversioned"


def project_name(release_id: str) -> str:
    """Return the compose project of a release: `acp-` and the id in lower-case letters, digits and dashes."""
    return PROJECT_PREFIX + re.sub(r"[^a-z0-9]+", "-", release_id.lower()).strip("-")


def container_name(project: str, compose_service: str, index: int) -> str:
    """Return the name Compose v2 gives to replica `index` (from 1)."""
    return f"{project}-{compose_service}-{index}"


def tag_of(version: str) -> str:
    """Return `version` as an image tag of at most 32 characters that also begins a release id.

    Odd characters become a dash. What is longer is cut, and ends with the start of the whole version's SHA-256: how two
    versions differ often stands at their end. The tag of a tag is itself.
    """
    text = re.sub(r"[^A-Za-z0-9_.-]+", "-", version).lstrip("._-")
    if len(text) <= VERSION_LENGTH:
        return text or UNNAMED
    digest = hashlib.sha256(version.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{text[: VERSION_LENGTH - DIGEST_LENGTH - 1]}-{digest}"


def front_network(stack: str) -> str:
    """Return the network that joins the edge and the services."""
    return f"acp-{stack}-front"


def data_network(stack: str) -> str:
    """Return the internal network of the data services."""
    return f"acp-{stack}-data"


def data_volume(stack: str, volume: str) -> str:
    """Return the name of a protected data volume."""
    return f"acp-{stack}-{volume}"
