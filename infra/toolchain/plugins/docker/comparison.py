"""How Terraform's rules, which the official plugin follows, compare a state with new inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.provider.experimental.provider import PropertyDiffKind

from infra.toolchain.plugins.common.values import holds_unknown

if TYPE_CHECKING:
    from collections.abc import Collection


def changed_inputs(
    state: dict[str, Any], inputs: dict[str, Any], *, keys: Collection[str], computed: Collection[str]
) -> dict[str, PropertyDiffKind]:
    """Return which inputs differ from the state.

    An input that is left out and that the engine computes keeps the state's value; any other is its zero value.
    """
    kinds: dict[str, PropertyDiffKind] = {}
    for key in keys:
        if key not in inputs and key in computed:
            continue
        if holds_unknown(inputs.get(key)) or not _matches(key, state.get(key), inputs.get(key)):
            kinds[key] = PropertyDiffKind.UPDATE if key in inputs else PropertyDiffKind.DELETE
    return kinds


def labels_to_map(labels: list[dict[str, str]] | None) -> dict[str, str]:
    """Return the `labels` input as Docker's labels."""
    return {label["label"]: label["value"] for label in labels or []}


def map_to_labels(labels: dict[str, str] | None) -> list[dict[str, str]]:
    """Return Docker's labels as the `labels` output, in the order of names."""
    return [{"label": name, "value": value} for name, value in sorted((labels or {}).items())]


def _matches(key: str, old: Any, new: Any) -> bool:
    """Say whether a state's value is the wanted one; labels and address ranges are sets."""
    if key == "labels":
        return labels_to_map(old) == labels_to_map(new)
    if key == "ipamConfigs":
        return _ranges_match(old or [], new or [])
    return bool((old or None) == (new or None))


def _ranges_match(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> bool:
    """Say whether every wanted address range is there; Docker fills in what a range leaves open."""
    return len(old) == len(new) and all(
        any(all(have.get(key) == value for key, value in wanted.items() if value) for have in old) for wanted in new
    )
