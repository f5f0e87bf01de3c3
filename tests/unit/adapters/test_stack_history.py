from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters import stack_history
from infra.adapters.process import Completed
from infra.adapters.stack_history import PAGE_SIZE, ToldHistory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def told(version: int) -> dict[str, Any]:
    """Return an update as `pulumi stack history --json` tells it."""
    at = "2026-01-05T09:00:00.000Z"
    return {"kind": "update", "startTime": at, "endTime": at, "result": "succeeded", "version": version}


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the updates that `pulumi` knows, the newest first, to be filled; one more ends after each page."""
    known: list[dict[str, Any]] = []

    def run(argv: Sequence[str], **_: object) -> Completed:
        options = dict(pairwise(argv))
        size, page = int(options.get("--page-size", 10)), int(options.get("--page", 1))
        shown = known[size * (page - 1) : size * page]
        known.insert(0, told(len(known) + 1))
        return Completed(argv=tuple(argv), exit_status=0, stdout=json.dumps(shown), stderr="")

    monkeypatch.setattr(stack_history, "run", run)
    return known


@pytest.mark.parametrize("count", [0, 11, PAGE_SIZE, 2 * PAGE_SIZE + 50])
def test_every_update_is_told_once(updates: list[dict[str, Any]], tmp_path: Path, count: int) -> None:
    """However many pages they take, the oldest first, also while updates end."""
    updates += [told(version) for version in range(count, 0, -1)]
    found = ToldHistory(stack="local", root=tmp_path).updates()
    assert [update.document.version for update in found] == list(range(1, count + 1))
