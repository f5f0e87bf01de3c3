"""Names that hosts, registries and Docker accept, made from names people chose."""

from __future__ import annotations

import re

PROJECT_PREFIX = "acp-"
VERSION_LENGTH = 32
UNNAMED = "unversioned"


def project_name(release_id: str) -> str:
    """Return the compose project of a release: `acp-` and the id in lower-case letters, digits and dashes."""
    return PROJECT_PREFIX + re.sub(r"[^a-z0-9]+", "-", release_id.lower()).strip("-")


def container_name(project: str, compose_service: str, index: int) -> str:
    """Return the name Compose v2 gives to replica `index` (from 1)."""
    return f"{project}-{compose_service}-{index}"


def tag_of(version: str) -> str:
    """Return `version` as an image tag that also begins a release id: odd characters become a dash, at most 32."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", version).lstrip("._-")[:VERSION_LENGTH] or UNNAMED


def front_network(stack: str) -> str:
    """Return the network that joins the edge and the services."""
    return f"acp-{stack}-front"


def data_network(stack: str) -> str:
    """Return the internal network of the data services."""
    return f"acp-{stack}-data"


def data_volume(stack: str, volume: str) -> str:
    """Return the name of a protected data volume."""
    return f"acp-{stack}-{volume}"
