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
    approved = {name: digest_of(pinned) for name, pinned in (released.get("images") or {}).items()}
    problems = [f"{name}: {source} released {tag} without it" for name in sorted(images) if name not in approved]
    return problems + [
        f"{name}: the tag {tag} moved: {source} released {approved[name]}, the registry now has {digest_of(pinned)}"
        for name, pinned in sorted(images.items())
        if name in approved and approved[name] != digest_of(pinned)
    ]


def digest_of(pinned: str) -> str:
    """Return the digest of a pinned reference."""
    return pinned.rpartition("@")[2]
