"""Which digests a registry keeps: those of every release that some stack may still go back to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.domain.rollback import standing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """A digest that no kept release uses, and the release that it was recorded with last."""

    repository: str
    digest: str
    release: str
    stack: str

    @property
    def server(self) -> str:
        """Return the registry's host and port."""
        return self.repository.partition("/")[0]

    @property
    def name(self) -> str:
        """Return the repository's name within its registry."""
        return self.repository.partition("/")[2]


def kept_releases(history: Sequence[Mapping[str, Any]], *, keep: int, pinned: Collection[str]) -> set[str]:
    """Return the releases that a stack keeps: current, previous, pinned, and the `keep` that were released before it.

    The releases that a rollback took off count as any other: one may want to go forward again.
    """
    names = list(dict.fromkeys(str(entry["release"]) for entry in history))
    before = [entry["release"] for entry in standing(history) if entry["release"] != names[0]] if names else []
    return {*names[: keep + 1], *before[-1:], *pinned}


def spare_digests(
    histories: Mapping[str, Sequence[Mapping[str, Any]]], *, keep: int, pinned: Collection[str]
) -> Iterator[Spare]:
    """Yield the recorded digests, by stack the oldest first, that no kept release of any stack uses."""
    used: set[str] = set()
    for history in histories.values():
        kept = kept_releases(history, keep=keep, pinned=pinned)
        used |= {pinned_image for entry in history if entry["release"] in kept for pinned_image in _pinned(entry)}
    seen: set[str] = set()
    for stack, history in histories.items():
        for entry in reversed(history):
            for image in _pinned(entry):
                if image not in used and image not in seen:
                    seen.add(image)
                    repository, _, digest = image.partition("@")
                    yield Spare(repository=repository, digest=digest, release=str(entry["release"]), stack=stack)


def _pinned(entry: Mapping[str, Any]) -> list[str]:
    """Return every image of a release: the app's, the edge's, the data services'."""
    return [str(image) for part in ("images", "platform") for image in (entry.get(part) or {}).values()]
