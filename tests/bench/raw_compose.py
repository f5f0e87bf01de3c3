"""Figures of raw Compose with the same images on the same host, and of our release and cold rollback against it."""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Any

from infra.rollout.driver import ALL_BUT_WAITING, VERIFIED
from tests.bench.figure import Figure
from tests.bench.plain_app import PlainApp
from tests.bench.rollback import roll_back_to
from tests.faults.stage import COMPARED
from tests.support.traffic import loss

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from infra.checks.prober import Prober
    from tests.faults.stage import Stage

REPEATS = 3
PUBLISHED = {"ingest": 18100, "agents": 18101}
PROJECT = "acp-raw"
STOP_SECONDS = 60.0


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield `release_ratio`, `cold_rollback_ratio`, their parts, and what raw Compose loses meanwhile.

    The ratios are of the whole time. Those apart from bake leave out the seconds in which nothing was done but to look
    at candidate and current release, and to wait for the model's answers. A release that is measured follows another
    one, as most do: after a rollback the stack has no image resources, and they are made anew.
    """
    stage.make_good()
    raw = _RawCompose(stage)
    ours, cold, empty, theirs = _Times(), _Times(), [], []
    answers = []
    raw.prepare()
    try:
        raw.up(0)
        for repeat in range(REPEATS):
            for _ in range(2):
                stage.wait_free()
                result = stage.release(COMPARED)
                assert result.good, result.tail()
            ours.add(result.seconds, stage)
            again = stage.world.up()
            assert again.good, again.tail()
            empty.append(again.seconds)
            cold.add(_cold_rollback(stage), stage)
            with raw.traffic() as prober:
                time.sleep(1)
                theirs.append(raw.up(repeat + 1))
                time.sleep(1)
            answers += prober.answers
    finally:
        raw.down()
    least = statistics.median(empty) + statistics.median(theirs)
    yield Figure(metric="raw_compose_seconds", value=statistics.median(theirs), unit="s", n=REPEATS)
    yield Figure(metric="empty_update_seconds", value=statistics.median(empty), unit="s", n=REPEATS)
    for name, times in (("release", ours), ("cold_rollback", cold)):
        yield Figure(metric=f"{name}_seconds", value=times.whole, unit="s", n=REPEATS)
        yield Figure(metric=f"{name}_bake_seconds", value=times.bake, unit="s", n=REPEATS)
        yield Figure(metric=f"{name}_ratio", value=times.whole / least, unit="ratio", n=REPEATS)
        yield Figure(metric=f"{name}_ratio_apart_from_bake", value=times.busy / least, unit="ratio", n=REPEATS)
    lost = loss(answers)
    yield Figure(metric="raw_compose_lost_requests", value=lost.lost, unit="requests", n=lost.sent)


class _Times:
    """What releases took, and how much of it was bake."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._bakes: list[float] = []

    def add(self, seconds: float, stage: Stage) -> None:
        """Add the release that the newest report of the stage is about."""
        timeline = json.loads(stage.world.newest_report("json"))["timeline"]
        self._seconds.append(seconds)
        self._bakes.append(timeline[VERIFIED] - timeline[ALL_BUT_WAITING])

    @property
    def whole(self) -> float:
        return statistics.median(self._seconds)

    @property
    def bake(self) -> float:
        return statistics.median(self._bakes)

    @property
    def busy(self) -> float:
        return statistics.median(whole - bake for whole, bake in zip(self._seconds, self._bakes, strict=True))


def _cold_rollback(stage: Stage) -> float:
    """Go back to a release that is no longer kept on the host, and return the seconds from command to prompt."""
    stage.view.wait_settled()
    target = str(stage.view.status()["previous"])
    stage.view.call("stop", release=target, remove=True, timeout_seconds=STOP_SECONDS)
    return roll_back_to(stage, target).seconds


class _RawCompose:
    """The app of the serving release as one compose project with published ports."""

    def __init__(self, stage: Stage) -> None:
        self._app = PlainApp(stage)

    def prepare(self) -> None:
        self._app.open()

    def up(self, mark: int) -> float:
        """Bring the project to a new configuration as people do, and return the seconds it took."""
        return self._app.compose(PROJECT, self._document(mark), "pull -q", "up -d --wait --quiet-pull")

    def down(self) -> None:
        """Remove the project and the login."""
        self._app.compose(PROJECT, self._document(0), "down")
        self._app.close()

    def traffic(self) -> AbstractContextManager[Prober]:
        """Return traffic through the published ports."""
        return self._app.traffic(PUBLISHED)

    def _document(self, mark: int) -> dict[str, Any]:
        return self._app.document(f"raw-{mark}", published=PUBLISHED)
