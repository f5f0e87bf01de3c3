"""Figures of a stack that has been released to for long: what its history costs every later update."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

from infra.adapters.packed_history import HISTORY, pack, unpack
from infra.domain.ledger import HISTORY_LENGTH
from tests.bench.figure import Figure
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.stage import Stage

REPEATS = 3


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield the seconds of an empty update after a few releases and after as many as are kept, taken in turns."""
    stage.make_good()
    state = stage.world.ask_pulumi("stack", "export", "--stack", STACK)
    few: list[float] = []
    many: list[float] = []
    try:
        for _ in range(REPEATS):
            for length, seconds in ((1, few), (HISTORY_LENGTH, many)):
                _write(stage, _with_history(state, length))
                result = stage.world.up()
                assert result.good, result.tail()
                seconds.append(result.seconds)
    finally:
        _write(stage, state)
    yield Figure(metric="empty_update_one_release_seconds", value=statistics.median(few), unit="s", n=REPEATS)
    yield Figure(metric="empty_update_full_history_seconds", value=statistics.median(many), unit="s", n=REPEATS)
    ratio = statistics.median(many) / statistics.median(few)
    yield Figure(metric="full_history_ratio", value=ratio, unit="ratio", n=REPEATS)


def _write(stage: Stage, state: dict[str, Any]) -> None:
    with stage.world.temporary.joinpath("state.json").open("w", encoding="utf-8") as file:
        json.dump(state, file)
    stage.world.pulumi("stack", "import", "--stack", STACK, "--file", file.name)


def _with_history(state: dict[str, Any], length: int) -> dict[str, Any]:
    """Return the state with `length` recorded releases: the newest one, and others like it."""
    changed: dict[str, Any] = json.loads(json.dumps(state))
    for resource in changed["deployment"]["resources"]:
        outputs = resource.get("outputs", {})
        if isinstance(outputs.get(HISTORY), str):
            newest = unpack(outputs[HISTORY])[0]
            others = [{**newest, "release": f"{newest['release']}-{n}"} for n in range(length - 1)]
            outputs[HISTORY] = pack([newest, *others])
    return changed
