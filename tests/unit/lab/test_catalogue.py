from __future__ import annotations

from typing import TYPE_CHECKING

from infra.lab.catalogue import RECIPES, Recipe, build_arguments, pulled

if TYPE_CHECKING:
    from pathlib import Path


def test_every_base_and_context_exists() -> None:
    """Each recipe has its folder, and is built on one that comes before it."""
    seen: set[str] = set()
    for name, recipe in RECIPES.items():
        assert recipe.context.is_dir(), name
        assert recipe.base is None or recipe.base in seen
        assert recipe.base is None or (recipe.context / "Dockerfile").exists()
        seen.add(name)


def test_images_built_on_another_name_it_as_the_world_does() -> None:
    """A Dockerfile's FROM is the public name of the recipe's base, so a pulled base fits too."""
    for recipe in RECIPES.values():
        if recipe.base is not None:
            assert f"\nFROM {RECIPES[recipe.base].public}\n" in (recipe.context / "Dockerfile").read_text()


def test_a_fingerprint_follows_content_names_and_base(tmp_path: Path) -> None:
    """A changed file, a renamed file or another base makes another image; a byte-code cache does not."""
    recipe = Recipe(name="x", context=tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM debian:trixie-slim\n")
    first = recipe.fingerprint("layer")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("1")
    assert recipe.fingerprint("layer") == first
    assert recipe.fingerprint("other") != first
    (tmp_path / "Dockerfile").rename(tmp_path / "Containerfile")
    assert recipe.fingerprint("layer") != first


def test_a_pulled_image_is_told_from_one_made_here() -> None:
    """Only a digest under the public name itself says that an image was pulled under it."""
    assert pulled({"RepoDigests": ["haproxy@sha256:1"]}, "haproxy:3.0")
    assert not pulled({"RepoDigests": ["172.28.11.2:5000/library/haproxy@sha256:1"]}, "haproxy:3.0")
    assert not pulled({"RepoDigests": None}, "haproxy:3.0")
    assert not pulled(None, "haproxy:3.0")


def test_the_build_command_is_exact(tmp_path: Path) -> None:
    """The build shows plain progress, so that a failure's last lines say what failed."""
    recipe = Recipe(name="x", context=tmp_path)
    assert build_arguments(recipe, "acp-lab/x:1") == (
        *("build", "--progress", "plain", "--tag", "acp-lab/x:1"),
        str(tmp_path),
    )
