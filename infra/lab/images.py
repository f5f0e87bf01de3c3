"""Make the lab's images: pulled where a public registry is reachable, built here under the same names otherwise."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from infra.errors import ToolError
from infra.lab import docker as engine
from infra.lab.catalogue import BUILT, RECIPES, Recipe, build_arguments, pulled
from infra.lab.docker import docker
from infra.lab.rootfs import import_base, remove_archives

if TYPE_CHECKING:
    from infra.toolchain.progress import Progress

BUILD_SECONDS = 1200.0
FAILURE_LINES = 6
PULL_SECONDS = 300.0


class Images:
    """The images of one `lab up`, each made when it is first asked for, its base before it."""

    def __init__(self, progress: Progress) -> None:
        """Read which images the engine has."""
        self._progress = progress
        self._ids = engine.image_ids()
        self._layers: dict[str, str] = {}
        self._registry_reachable: bool | None = None

    def ensure(self, name: str) -> str:
        """See to the image `name` and return what to start it by; nothing is done when it is up to date."""
        recipe = RECIPES[name]
        if recipe.public is not None and self._is_pulled(recipe.public):
            return recipe.public
        image = recipe.built_as(recipe.fingerprint(self._base_layers(recipe)))
        if image not in self._ids:
            if recipe.public is not None and self._pull(recipe.public):
                return recipe.public
            self._make(recipe, image)
        if recipe.public is not None and self._ids.get(recipe.public) != self._ids[image]:
            docker("tag", image, recipe.public)
            self._ids[recipe.public] = self._ids[image]
        return recipe.public or image

    def identity(self, image: str) -> str:
        """Return the image id of a local tag."""
        return self._ids[image]

    def _is_pulled(self, public: str) -> bool:
        """Say whether the local image of that name came from a public registry."""
        # An image built here has a second tag, which tells it apart without asking the engine once more.
        identity = self._ids.get(public)
        if identity is None:
            return False
        if any(other == identity and tag.startswith(f"{BUILT}/") for tag, other in self._ids.items()):
            return False
        return pulled(engine.image(public), public)

    def _base_layers(self, recipe: Recipe) -> str:
        """Return what the layers of the base are, after seeing to it."""
        if recipe.base is None:
            return ""
        if recipe.base not in self._layers:
            found = engine.image(self.ensure(recipe.base))
            if found is None:
                raise ToolError(f"the image {recipe.base} went away while it was used", mend="run this again")
            self._layers[recipe.base] = ",".join(found["RootFS"]["Layers"])
        return self._layers[recipe.base]

    def _pull(self, public: str) -> bool:
        """Pull `public`; when the first pull finds no public registry, no other is tried."""
        if self._registry_reachable is False:
            return False
        with self._progress.work(f"image {public}", "pulling it"):
            done = engine.try_docker("pull", "--quiet", public, timeout_seconds=PULL_SECONDS)
        if self._registry_reachable is None:
            self._registry_reachable = done is not None
            if done is None:
                self._progress.say("No public registry is reachable: the images are built on this machine.")
        if done is not None:
            self._remember(public)
        return done is not None

    def _make(self, recipe: Recipe, image: str) -> None:
        """Build `recipe` as `image`, or import it when it has no base."""
        if recipe.base is None:
            import_base(image, recipe.fingerprint(""), recipe.context, self._progress)
        else:
            with self._progress.work(f"image {recipe.public or image}", "building it"):
                environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
                done = docker(
                    *build_arguments(recipe, image), timeout_seconds=BUILD_SECONDS, env=environment, check=False
                )
            if done.exit_status != 0:
                mend = "see that apt works on this machine and its disk has room, then run `acp-release lab up` again"
                raise ToolError(
                    f"the image was not built: {why_failed(done.stderr)}", where=str(recipe.context), mend=mend
                )
        self._remember(image)

    def _remember(self, image: str) -> None:
        found = engine.image(image)
        if found is None:
            raise ToolError(f"docker made {image} but does not have it", mend="run this again")
        self._ids[image] = found["Id"]


def why_failed(output: str) -> str:
    """Return what a failed build said last, without the frame that docker puts around it."""
    marks = ("#", "-", ">", "ERROR: failed to solve")
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.lstrip().startswith(marks)]
    return "\n".join(lines[-FAILURE_LINES:]) or output.strip()[-500:]


def remove_images() -> None:
    """Remove every image the lab made, its base's archive too; images pulled from a public registry are left alone."""
    ids = engine.image_ids()
    built = {identity for tag, identity in ids.items() if tag.startswith(f"{BUILT}/")}
    public = {recipe.public for recipe in RECIPES.values()}
    engine.remove("image", [tag for tag, identity in ids.items() if identity in built and tag in public])
    engine.remove("image", [tag for tag in ids if tag.startswith(f"{BUILT}/")])
    remove_archives()
