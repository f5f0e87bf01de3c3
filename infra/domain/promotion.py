"""Promotion: a tag goes to the next stack only with the digests that the stack before it released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def promotion_problems(
    tag: str, images: Mapping[str, str], history: Iterable[Mapping[str, Any]], *, source: str
) -> list[str]:
    """Return why `tag` may not be promoted from stack `source`.

    `images` has the digest-pinned reference that the tag has now, by image; `history` the releases of `source`, as
    recorded, the latest first. Repositories may differ between stacks, digests may not.
    """
    released = next((entry for entry in history if entry.get("version") == tag), None)
    if released is None:
        return [f"{source} has not released {tag}"]
    return _moved(tag, images, released.get("images") or {}, by=f"{source} released")


def build_problems(tag: str, images: Mapping[str, str], *, built_tag: str, built: Mapping[str, str]) -> list[str]:
    """Return why what `tag` leads to now, `images`, is not what was built as `built_tag`, `built`."""
    if tag != built_tag:
        return [f"the build is of {built_tag}, and this would release {tag}"]
    return _moved(tag, images, built, by="the build made")


def _moved(tag: str, images: Mapping[str, str], known: Mapping[str, str], *, by: str) -> list[str]:
    """Return the images of which `tag` leads to another digest than what is known of it, each with both."""
    digests = {name: digest_of(pinned) for name, pinned in known.items()}
    problems = [f"{name}: {by} {tag} without it" for name in sorted(images) if name not in digests]
    return problems + [
        f"{name}: the tag {tag} moved: {by} {digests[name]}, the registry now has {digest_of(pinned)}"
        for name, pinned in sorted(images.items())
        if name in digests and digests[name] != digest_of(pinned)
    ]


def digest_of(pinned: str) -> str:
    """Return the digest of a pinned reference."""
    return pinned.rpartition("@")[2]
