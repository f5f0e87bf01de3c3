"""Figures of raw Compose with the same images on the same host, and of our release and cold rollback against it."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from tests.bench.figure import Figure
from tests.bench.plain_app import PlainApp
from tests.bench.rollback import roll_back_to
from tests.faults.stage import COMPARED
from tests.support.traffic import loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.checks.prober import Prober
    from tests.faults.stage import Stage

REPEATS = 3
PUBLISHED = {"ingest": 18100, "agents": 18101}
PROJECT = "acp-raw"
STOP_SECONDS = 60.0


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield `release_ratio`, `cold_rollback_ratio`, their parts, and what raw Compose loses meanwhile.

    A release that is measured follows another one, as most do: after a rollback the stack has no image resources, and
    they are made anew.
    """
    stage.make_good()
    raw = _RawCompose(stage)
    ours, cold, empty, theirs = [], [], [], []
    answers = []
    raw.prepare()
    try:
        raw.up(0)
        for repeat in range(REPEATS):
            for _ in range(2):
                stage.wait_free()
                result = stage.release(COMPARED)
                assert result.good, result.tail()
            ours.append(result.seconds)
            again = stage.world.up()
            assert again.good, again.tail()
            empty.append(again.seconds)
            cold.append(_cold_rollback(stage))
            with raw.traffic() as prober:
                time.sleep(1)
                theirs.append(raw.up(repeat + 1))
                time.sleep(1)
            answers += prober.answers
    finally:
        raw.down()
    least = statistics.median(empty) + statistics.median(theirs)
    yield Figure(metric="release_seconds", value=statistics.median(ours), unit="s", n=REPEATS)
    yield Figure(metric="raw_compose_seconds", value=statistics.median(theirs), unit="s", n=REPEATS)
    yield Figure(metric="release_ratio", value=statistics.median(ours) / least, unit="ratio", n=REPEATS)
    yield Figure(metric="cold_rollback_seconds", value=statistics.median(cold), unit="s", n=REPEATS)
    yield Figure(metric="cold_rollback_ratio", value=statistics.median(cold) / least, unit="ratio", n=REPEATS)
    lost = loss(answers)
    yield Figure(metric="raw_compose_lost_requests", value=lost.lost, unit="requests", n=lost.sent)


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

    def traffic(self) -> Prober:
        """Return traffic through the published ports."""
        return self._app.traffic(PUBLISHED)

    def _document(self, mark: int) -> dict[str, Any]:
        return self._app.document(f"raw-{mark}", published=PUBLISHED)
