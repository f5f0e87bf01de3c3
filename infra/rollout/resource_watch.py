"""Reads what every container uses, from a thread, while the driver works."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

from infra.checks.growth import growth_of
from infra.domain.resources import Reading, by_container, judge_container, since_first, summarise_container
from infra.errors import CheckError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from infra.domain.resources import ResourceVerdict
    from infra.rollout.hosts import HostGroup
    from infra.settings.resources import ResourceLimits

CALL_TIMEOUT_SECONDS = 20.0
FIRST_READING_SECONDS = 10.0
MOST_READINGS = 200_000


class ResourceWatch:
    """A background thread that reads while the context is open."""

    def __init__(self, group: HostGroup, limits: ResourceLimits) -> None:
        """Prepare; nothing is read before the context opens."""
        self._group = group
        self._limits = limits
        self._stop = threading.Event()
        self._first = threading.Event()
        self._readings: list[Reading] = []
        self._hosts: dict[str, dict[str, Any]] = {}
        self._served_on: frozenset[str] = frozenset()
        self._missed = 0
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="resources", daemon=True)

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read no more; a reading that is under way is left to end by itself."""
        self._stop.set()

    def forgive(self, hosts: Iterable[str]) -> None:
        """Count restarts and kills from the first reading on these hosts: what served before this run had a life."""
        self._served_on = frozenset(hosts)

    def verdicts(self, release: str | None) -> list[ResourceVerdict]:
        """Return the verdicts on every container of a release, or on all there are."""
        return [
            verdict
            for read in by_container(list(self._readings)).values()
            for series in [since_first(read) if read[0].host in self._served_on else read]
            if release in {series[-1].release, None}
            for verdict in judge_container(series, self._limits, growth_of(series, self._limits))
        ]

    def require_within_limits(self, release: str) -> None:
        """Raise `CheckError` when a container of the release breaks a limit, or when none of them could be read."""
        self._first.wait(FIRST_READING_SECONDS)
        if not (verdicts := self.verdicts(release)):
            self.read()
            verdicts = self.verdicts(release)
        if not verdicts:
            raise CheckError(
                f"nobody can say what the containers of {release} use: there was no reading of them",
                mend="`acp-release resources --stack STACK` asks the hosts the same question",
            )
        broken = [verdict for verdict in verdicts if verdict.outcome == "breach"]
        if broken:
            raise CheckError(
                f"{len(broken)} limits of the containers of {release} are broken\n"
                + "\n".join(f"    {verdict}" for verdict in broken),
                mend="mend the candidate, or set `acp:resources`",
            )

    def summary(self, release: str | None = None) -> dict[str, Any]:
        """Return readings and verdicts as reports have them."""
        return {
            "interval_seconds": self._limits.interval_seconds,
            "seconds": round(time.monotonic() - self._started, 1),
            "missed": self._missed,
            "hosts": {name: dict(figures) for name, figures in self._hosts.items()},
            "containers": [summarise_container(series) for series in by_container(list(self._readings)).values()],
            "verdicts": [verdict.to_json() for verdict in self.verdicts(release)],
        }

    def read(self) -> None:
        """Read every host once."""
        at = time.monotonic() - self._started
        answers, errors = self._group.attempt(
            lambda client: client.call("resources", timeout_seconds=CALL_TIMEOUT_SECONDS)
        )
        self._missed += len(errors)
        for host, answer in answers.items():
            self._readings += [Reading.of(host, at, row) for row in answer["containers"]]
            self._hosts[host] = _lowest(self._hosts.get(host), answer["host"])
        if answers:
            self._first.set()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())) and len(self._readings) < MOST_READINGS:
            self.read()
            due = max(due + self._limits.interval_seconds, time.monotonic())


def watch_for(watch: ResourceWatch, seconds: float, on_tick: Callable[[float], None]) -> None:
    """Let a watch read for some time; `on_tick` gets the seconds that have passed."""
    began = time.monotonic()
    pause = threading.Event()
    with watch:
        while (passed := time.monotonic() - began) < seconds:
            on_tick(passed)
            pause.wait(min(0.2, seconds - passed))


def _lowest(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the least room a host had so far, and its highest load."""
    earlier = before or now
    return {
        "memory_total_bytes": now["memory_total_bytes"],
        "memory_available_bytes": min(earlier["memory_available_bytes"], now["memory_available_bytes"]),
        "disk_free_bytes": min(earlier["disk_free_bytes"], now["disk_free_bytes"]),
        "load_1m": max(earlier["load_1m"], now["load_1m"]),
    }
