"""Differences between a resource's state and its new inputs, as the engine wants them told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.provider.experimental.provider import DiffResponse, PropertyDiff, PropertyDiffKind

if TYPE_CHECKING:
    from collections.abc import Iterable

REPLACING = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}


def changed_keys(old: dict[str, Any], new: dict[str, Any], keys: Iterable[str]) -> dict[str, PropertyDiffKind]:
    """Return which of `keys` differ between two plain property maps, and how."""
    kinds: dict[str, PropertyDiffKind] = {}
    for key in keys:
        before, after = old.get(key), new.get(key)
        if _same(before, after):
            continue
        if before is None:
            kinds[key] = PropertyDiffKind.ADD
        elif after is None:
            kinds[key] = PropertyDiffKind.DELETE
        else:
            kinds[key] = PropertyDiffKind.UPDATE
    return kinds


def diff_response(
    kinds: dict[str, PropertyDiffKind], *, replacing: Iterable[str], delete_first: bool = False
) -> DiffResponse:
    """Return the engine's answer: an update for changed keys, a replacement where one of `replacing` changed."""
    replaces = [key for key in kinds if key in set(replacing)]
    detail = {
        key: PropertyDiff(kind=REPLACING[kind] if key in replaces else kind, input_diff=True)
        for key, kind in kinds.items()
    }
    return DiffResponse(
        changes=bool(kinds),
        replaces=replaces,
        delete_before_replace=delete_first and bool(replaces),
        diffs=list(kinds),
        detailed_diff=detail,
    )


def _same(before: Any, after: Any) -> bool:
    """Say whether two plain values are equal; two assets with a hash are equal when the hashes are."""
    if isinstance(before, dict) and isinstance(after, dict) and before.get("hash") and after.get("hash"):
        return bool(before["hash"] == after["hash"])
    return bool(before == after)
