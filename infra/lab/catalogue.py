"""The images of the lab: which public one each stands for, what it is built on, and its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = "acp-lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One image: `public` is the name it has in the world, None when it exists only in the lab."""

    name: str
    context: Path
    base: str | None = "debian"
    public: str | None = None

    @property
    def pushed_as(self) -> str | None:
        """Repository and tag in the lab's registry, None when it stays on the build machine."""
        return None if self.public is None else f"library/{self.public}"

    def fingerprint(self, base_layers: str) -> str:
        """Digest of all that decides the image: its context and the layers of its base (empty without one)."""
        digest = hashlib.sha256(base_layers.encode())
        for path in sorted(self.context.rglob("*")):
            relative = path.relative_to(self.context)
            if path.is_file() and "__pycache__" not in relative.parts:
                digest.update(f"\0{relative}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def built_as(self, fingerprint: str) -> str:
        """Return the name of the local build with that fingerprint."""
        return f"{BUILT}/{self.name}:{fingerprint}"


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="debian", context=HERE / "images/debian", base=None, public="debian:trixie-slim"),
        Recipe(name="registry", context=HERE / "images/registry"),
        Recipe(name="host", context=HERE / "images/host"),
        Recipe(name="python", context=HERE / "images/python", public="python:3.13-slim-trixie"),
        Recipe(name="haproxy", context=HERE / "images/haproxy", public="haproxy:3.0"),
        Recipe(name="postgres", context=HERE / "images/postgres", public="postgres:17"),
        Recipe(name="redis", context=HERE / "images/redis", public="redis:8.0"),
        Recipe(name="model", context=HERE / "model", base="python"),
    )
}


def build_arguments(recipe: Recipe, image: str) -> tuple[str, ...]:
    """Return the arguments of `docker` that build `recipe` as `image`."""
    # The progress is plain, so that the last lines of a failure say what failed.
    return ("build", "--progress", "plain", "--tag", image, str(recipe.context))


def pulled(found: dict[str, object] | None, public: str) -> bool:
    """Say whether docker's description of an image is one that came from a public registry under `public`."""
    digests = (found or {}).get("RepoDigests") or []
    repository = public.split(":", 1)[0]
    return isinstance(digests, list) and any(str(digest).startswith(f"{repository}@") for digest in digests)
