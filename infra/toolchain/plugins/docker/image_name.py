"""The name of an image, taken apart."""

from __future__ import annotations

from dataclasses import dataclass

DOCKER_HUB = "registry-1.docker.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """`reference` is a digest if the name has one, else its tag."""

    registry: str
    repository: str
    reference: str


def parse_image_name(name: str) -> ImageName:
    """Return an image name's parts; without a registry it is Docker Hub's, without a tag `latest`."""
    path, _, digest = name.partition("@")
    first, slash, rest = path.partition("/")
    has_registry = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    registry, repository = (first, rest) if has_registry else (DOCKER_HUB, path)
    last = repository.rpartition("/")[2]
    if ":" in last:
        repository, _, tag = repository.rpartition(":")
    else:
        tag = "latest"
    if not has_registry and "/" not in repository:
        repository = f"library/{repository}"
    return ImageName(registry=registry, repository=repository, reference=digest or tag)
