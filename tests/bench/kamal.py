"""Figures of releases as Kamal makes them, and of ours, in turns on the same host with the same images and traffic."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from infra.domain.certificate import certify
from infra.domain.naming import front_network
from tests.bench.figure import Figure
from tests.bench.kamal_proxy import HTTP_PORTS, KamalProxies
from tests.bench.plain_app import PORTS, PlainApp
from tests.bench.rollback import roll_back_to
from tests.bench.switch import Switch, switch_of
from tests.faults.candidates import AFTER_SMOKE, with_fault
from tests.faults.stage import CANARY
from tests.support.traffic import loss, traffic
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from infra.checks.prober import Prober
    from infra.domain.certificate import Answer
    from tests.faults.stage import Stage

REPEATS = 3
REST_SECONDS = 10.0
AROUND_SECONDS = 2.0
"""How long before and after the moment of the switch a request counts as one beside it."""
AFTER_SECONDS = 3.0
"""How long the traffic goes on after each step."""
PROJECT = "acp-kamal"


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield for both, under 100 requests/s: seconds from a start to all traffic, of a release and of the way back.

    Lost requests of good releases, of the ways back, and of a release that answers with errors once it has the
    traffic; and the p99 beside the switches as a ratio to that at rest. Kamal's part is what it does on a host:
    start the containers, `kamal-proxy deploy`, stop the old ones. It checks less; ours asks a user's path first.
    """
    stage.make_good()
    theirs, ours = _Seen(), _Seen()
    with _Kamal(stage) as kamal:
        kamal.release()
        for _ in range(REPEATS):
            with kamal.traffic() as prober:
                theirs.watch(prober.answers, kamal.release, kamal.roll_back)
            with traffic(stage.view.host, search=False) as prober:
                ours.watch(prober.answers, lambda: _release(stage), lambda: _roll_back(stage))
        with kamal.traffic() as prober:
            kamal.release(fault=AFTER_SMOKE)
            kamal.roll_back()
            time.sleep(AFTER_SECONDS)
        theirs.bad = prober.answers
    with traffic(stage.view.host, search=False) as prober:
        result = stage.release(CANARY, with_fault(AFTER_SMOKE))
        assert not result.good, "a release that answers with errors was made"
    ours.bad = prober.answers
    yield from theirs.figures("kamal")
    yield from ours.figures("own")


@dataclass(slots=True)
class _Seen:
    """What the users of one of both saw."""

    releases: list[Switch] = field(default_factory=list)
    ways_back: list[Switch] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    rest: list[Answer] = field(default_factory=list)
    bad: Sequence[Answer] = ()

    def watch(self, answers: Sequence[Answer], release: Callable[[], Switch], roll_back: Callable[[], Switch]) -> None:
        """Look at the traffic at rest, then over a release and the way back."""
        time.sleep(REST_SECONDS)
        self.rest += answers
        self.releases.append(release())
        time.sleep(AFTER_SECONDS)
        self.ways_back.append(roll_back())
        time.sleep(AFTER_SECONDS)
        self.answers += answers

    def figures(self, whose: str) -> Iterator[Figure]:
        """Yield the figures under a name."""
        n = len(self.releases)
        back = statistics.median(switch.seconds for switch in self.ways_back)
        switched = statistics.median(switch.seconds for switch in self.releases)
        beside = [answer for answer in self.answers if any(_is_beside(answer, each) for each in self._switches)]
        ratio = certify(beside).p99_ms / certify(self.rest).p99_ms
        yield Figure(metric=f"{whose}_switch_seconds", value=switched, unit="s", n=n)
        yield Figure(metric=f"{whose}_way_back_seconds", value=back, unit="s", n=n)
        yield Figure(
            metric=f"{whose}_lost_requests", value=loss(self.answers).lost, unit="requests", n=len(self.answers)
        )
        yield Figure(metric=f"{whose}_switch_p99_ratio", value=ratio, unit="ratio", n=len(beside))
        yield Figure(metric=f"{whose}_bad_lost_requests", value=loss(self.bad).lost, unit="requests", n=len(self.bad))

    @property
    def _switches(self) -> list[Switch]:
        return [*self.releases, *self.ways_back]


def _is_beside(answer: Answer, switch: Switch) -> bool:
    return abs(answer.at - switch.at) <= AROUND_SECONDS


def _release(stage: Stage) -> Switch:
    """Make a release of ours."""
    stage.wait_free()
    result = stage.release()
    assert result.good, result.tail()
    return switch_of(stage, str(stage.view.serving))


def _roll_back(stage: Stage) -> Switch:
    """Go back to the release before, which the host has kept."""
    target = str(stage.view.status()["previous"])
    roll_back_to(stage, target)
    return switch_of(stage, target)


class _Kamal:
    """Releases as Kamal makes them on a host: a container beside the old one, the proxy's switch, the old one's end."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._app = PlainApp(stage)
        self._proxies = KamalProxies(stage.view)
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._serving = ""
        self._before = ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(self._app.close)
            self._app.open()
            stack.callback(self._remove)
            stack.callback(self._proxies.stop)
            self._proxies.start()
            self._ending = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def _remove(self) -> None:
        for project, document in self._documents.items():
            self._app.compose(project, document, "down --timeout 5")

    def release(self, *, fault: str = "none") -> Switch:
        """Start a release beside the one that serves, and move the traffic to it."""
        project = f"{PROJECT}-{len(self._documents)}"
        self._documents[project] = self._app.document(project, ingest={"ACP_FAULT": fault})
        return self._move(project, "up -d --quiet-pull")

    def roll_back(self) -> Switch:
        """Start the containers of the release before again, and move the traffic back."""
        return self._move(self._before, "start")

    def traffic(self) -> AbstractContextManager[Prober]:
        """Return traffic through the proxies."""
        return self._app.traffic(HTTP_PORTS)

    def _move(self, project: str, start: str) -> Switch:
        began = time.monotonic()
        self._app.compose(project, self._documents[project], start)
        self._proxies.deploy({service: self._address(f"{project}-{service}-1") for service in PORTS})
        switch = Switch(seconds=time.monotonic() - began, at=time.time())
        self._before, self._serving = self._serving, project
        if self._before:
            self._app.compose(self._before, self._documents[self._before], "stop")
        return switch

    def _address(self, container: str) -> str:
        found = json.loads(
            self._stage.view.docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", container)
        )
        return str(found[front_network(STACK)]["IPAddress"])
