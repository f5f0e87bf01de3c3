"""Which recorded release belongs to which update: the record has the last ones, older checkpoints the rest."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.adapters.packed_history import unpack
from infra.adapters.stack_history import find_resource
from infra.errors import UnreadableHistoryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.adapters.stack_history import StackHistory, Update

RECORD = "record"
UPDATES_WITHOUT_RECORD = 5
"""How far back a record is looked for: a stack that was destroyed and made anew has updates without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """An update that succeeded, with its times in seconds since the epoch."""

    update: Update
    started: float
    ended: float

    @classmethod
    def of(cls, update: Update) -> _Made:
        """Return an update with its times."""
        document = update.document
        return cls(update=update, started=document.started_at.timestamp(), ended=document.ended_at.timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Every recorded release that was found, and by the id of the update that made it."""

    entries: tuple[Mapping[str, Any], ...]
    by_update: Mapping[str, Mapping[str, Any]]


def recorded(history: StackHistory, updates: Sequence[Update], record: Sequence[Mapping[str, Any]]) -> Recorded:
    """Return every recorded release with the update that made it.

    `record` is the record as it is now, the newest first. It holds the last releases only, so the checkpoint of the
    update before its oldest one is asked next, and so on: a few checkpoints are parsed, however long the history is.
    """
    made = [_Made.of(update) for update in updates if update.document.result == "succeeded"]
    found: dict[str, Mapping[str, Any]] = {}
    every: dict[tuple[str, str], Mapping[str, Any]] = {}
    page = [entry for entry in record if entry.get("started_at")]
    if not page:  # a stack that was destroyed has its releases in older checkpoints
        page, made = _page_before(history, made)
    while page:
        moments = [datetime.fromisoformat(str(entry["started_at"])).timestamp() for entry in page]
        for entry, moment in zip(page, moments, strict=True):
            every.setdefault((str(entry.get("run_id")), str(entry["started_at"])), entry)
            maker = _maker(made, moment)
            if maker is not None:
                found.setdefault(maker.update.id, entry)
        oldest = min(moments + [item.ended for item in made[-1:]])
        made = [item for item in made if item.ended < oldest]
        page, made = _page_before(history, made)
    return Recorded(entries=tuple(every.values()), by_update=found)


def record_of(checkpoint: bytes) -> list[Mapping[str, Any]]:
    """Return the record in a checkpoint, the newest release first; raise `UnreadableHistoryError` for a broken one."""
    outputs = find_resource(checkpoint, RECORD).get("outputs") or {}
    return list(unpack(outputs.get("history")))


def _page_before(history: StackHistory, made: list[_Made]) -> tuple[list[Mapping[str, Any]], list[_Made]]:
    """Return the record that the last of the updates left, and the updates that it may say something of."""
    for last in range(len(made), max(0, len(made) - UPDATES_WITHOUT_RECORD), -1):
        with contextlib.suppress(UnreadableHistoryError):  # its digest tells that; what is before it can be read
            record = record_of(history.checkpoint(made[last - 1].update))
            entries = [entry for entry in record if entry.get("started_at")]
            if entries:
                return entries, made[:last]
    return [], []


def _maker(made: Sequence[_Made], moment: float) -> _Made | None:
    """Return the update during which a release was begun."""
    index = bisect_right(made, moment, key=lambda item: item.started) - 1
    return made[index] if index >= 0 and moment <= made[index].ended else None
