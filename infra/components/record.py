"""The release record: what serves, what served before, and the history; it stands behind the rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.adapters.packed_history import pack, unpack
from infra.components.dynamic import is_same_run, require_same_run, show_errors_once
from infra.domain.ledger import push
from infra.domain.text_form import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi


class RecordProvider(ResourceProvider):
    """Keeps the record; of a release that is recorded already only the hosts that have it change."""

    serialize_as_secret_always = False

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Update in place when the release, its run or its hosts are others."""
        # While the engine works out what a replaced rollout takes with it, the entry is unknown.
        is_known = isinstance(_news.get("entry"), str)
        changed = not is_known or not _is_recorded(_entry(_olds), _entry(_news))
        return DiffResult(changes=changed or _olds.get("fingerprint_key") != _news.get("fingerprint_key"))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Record the first release; a record that is made anew alone goes on with the history of the outputs."""
        show_errors_once()
        _require_rolled_out(props)
        kept = _kept_history(props["stack"]) if props["earlier"] else []
        return CreateResult(id_=props["stack"], outs=_recorded(props, kept))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Put the release on top of the history, or say which hosts have the one that is there."""
        show_errors_once()
        _require_rolled_out(_news)
        return UpdateResult(outs=_recorded(_news, unpack(_olds.get("history"))))


def _is_recorded(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether an entry says nothing new: it is of the same run, on the same hosts."""
    return is_same_run(old, new) and old.get("hosts") == new.get("hosts")


def _recorded(props: Mapping[str, Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the outputs with the entry on top of the history that is kept.

    One of a run that is there already stays what it is, but for the hosts: one that left the stack and returns is new.
    """
    entry = _entry(props)
    if kept and is_same_run(kept[0], entry):
        history = [{**kept[0], "hosts": entry["hosts"]}, *kept[1:]]
    else:
        history = push(kept, entry)
    outs = {"entry": to_text(history[0]), "history": pack(history), "previous": previous_release(history)}
    return {**props, **outs}


def _require_rolled_out(props: Mapping[str, Any]) -> None:
    """Raise `ReleaseError` for a release that the hosts were never brought to."""
    require_same_run(props["rolled_out"], _entry(props), done="the rollout was of")


def _kept_history(stack: str) -> list[dict[str, Any]]:
    """Return the history in a stack's outputs."""
    from infra.adapters.pulumi_cli import stack_outputs  # noqa: PLC0415 - hardly ever needed

    return list(stack_outputs(stack).get("history") or [])


def _entry(props: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry that the record was given, an empty one for a record that was not given any."""
    entry: dict[str, Any] = from_text(props.get("entry") or {})
    return entry


def previous_release(history: list[dict[str, Any]]) -> str:
    """Return the last release in the history that is not the current one, or nothing (the engine drops nulls)."""
    current = history[0]["release"] if history else None
    return next((str(entry["release"]) for entry in history if entry["release"] != current), "")


class ReleaseRecord(Resource, name="ReleaseRecord", module="acp"):
    """Current, previous and (packed) history of one stack; every stack output comes from here."""

    # A state that an earlier version of this program wrote has documents here until something changes, and Pulumi
    # refuses a value of another type than is written down: texts now, read with `from_text` and `unpack`.
    entry: pulumi.Output[Any]
    history: pulumi.Output[Any]
    previous: pulumi.Output[str]
    fingerprint_key: pulumi.Output[str]

    provider: ClassVar[ResourceProvider] = RecordProvider()

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the record of `props["entry"]`."""
        super().__init__(self.provider, name, {**props, "history": None, "previous": None}, opts)
