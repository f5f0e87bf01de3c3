"""What containers use over time, and whether a candidate may go on with it; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.settings.resources import ResourceLimits

SHOWN_READINGS = 40
MEBIBYTE = 1024**2
HOUR_SECONDS = 3600

Outcome = Literal["ok", "breach", "cannot tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One container at one moment (seconds since the watch began); None is what the host cannot tell."""

    at: float
    host: str
    name: str
    service: str
    release: str
    memory_bytes: int
    memory_limit_bytes: int
    cpu_seconds: float
    restarts: int
    oom_kills: int
    connections: int | None
    disk_bytes: int | None

    @classmethod
    def of(cls, host: str, at: float, row: Mapping[str, Any]) -> Reading:
        """Return a row of hostctl's `resources` as a reading."""
        names = (
            "name", "service", "release", "memory_bytes", "memory_limit_bytes", "cpu_seconds", "restarts", "oom_kills",
            "connections", "disk_bytes",
        )  # fmt: skip
        return cls(host=host, at=at, **{name: row[name] for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How fast memory grows, in bytes per hour, and between which bounds that is known."""

    per_hour: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceVerdict:
    """One measure of one container against its limit."""

    container: str
    host: str
    measure: str
    outcome: Outcome
    reason: str

    def to_json(self) -> dict[str, str]:
        """Return the verdict as reports have it."""
        return {
            "container": self.container,
            "host": self.host,
            "measure": self.measure,
            "verdict": self.outcome,
            "reason": self.reason,
        }

    def __str__(self) -> str:
        """Return one line for people."""
        return f"{self.outcome}: {self.measure} of {self.container} on {self.host}: {self.reason}"


def by_container(readings: Iterable[Reading]) -> dict[tuple[str, str], list[Reading]]:
    """Return the readings of each container, by host and name, in order of time."""
    found: defaultdict[tuple[str, str], list[Reading]] = defaultdict(list)
    for reading in sorted(readings, key=lambda each: each.at):
        found[reading.host, reading.name].append(reading)
    return dict(found)


def since_first(series: Sequence[Reading]) -> list[Reading]:
    """Return the readings of one container with restarts and kills as they came after the first reading."""
    first = series[0]
    return [
        replace(each, restarts=each.restarts - first.restarts, oom_kills=each.oom_kills - first.oom_kills)
        for each in series
    ]


def judge_container(series: Sequence[Reading], limits: ResourceLimits, growth: Growth | None) -> list[ResourceVerdict]:
    """Return the verdict on every measure that has a limit; `growth` is None where it cannot be told yet."""
    memory = max(share(reading) for reading in series)
    judged: list[tuple[str, float | None, float | None, str]] = [
        ("memory", memory, limits.max_memory_percent, "% of the container's limit"),
        ("cpu", mean_cpu_percent(series), limits.max_cpu_percent, "% of one CPU"),
        ("restarts", max(reading.restarts for reading in series), limits.max_restarts, "restarts"),
        ("oom kills", max(reading.oom_kills for reading in series), limits.max_oom_kills, "processes killed"),
        ("connections", _most(series, "connections"), limits.max_connections, "open connections"),
        ("disk", _most(series, "disk_bytes"), limits.max_disk_bytes, "bytes written"),
    ]
    last = series[-1]
    verdicts = [
        ResourceVerdict(container=last.name, host=last.host, measure=measure, outcome=outcome, reason=reason)
        for measure, value, limit, unit in judged
        if limit is not None
        for outcome, reason in (_against(value, limit, unit),)
    ]
    outcome, reason = judge_growth(growth, limits.max_growth_bytes_per_hour)
    return [
        *verdicts,
        ResourceVerdict(container=last.name, host=last.host, measure="growth", outcome=outcome, reason=reason),
    ]


def judge_growth(growth: Growth | None, limit: float) -> tuple[Outcome, str]:
    """Return whether memory leaks: certainly, certainly not, or one cannot tell."""
    if growth is None:
        return "cannot tell", "watched too shortly for a verdict"
    figures = (
        f"{mib(growth.per_hour)} per hour, between {mib(growth.low)} and {mib(growth.high)} with 99 % confidence;"
        f" the limit is {mib(limit)}"
    )
    if growth.low > limit:
        return "breach", figures
    return ("ok" if growth.high <= limit else "cannot tell"), figures


def share(reading: Reading) -> float:
    """Return the memory in percent of the container's limit."""
    return 100 * reading.memory_bytes / reading.memory_limit_bytes if reading.memory_limit_bytes else 0.0


def mean_cpu_percent(series: Sequence[Reading]) -> float | None:
    """Return the mean use of CPU in percent of one, None from a single reading."""
    first, last = series[0], series[-1]
    if last.at <= first.at:
        return None
    return 100 * max(0.0, last.cpu_seconds - first.cpu_seconds) / (last.at - first.at)


def cpu_percents(series: Sequence[Reading]) -> list[float | None]:
    """Return the use of CPU from each reading to the next, as many as there are readings; one alone cannot tell."""
    if len(series) == 1:
        return [None]
    found = [mean_cpu_percent([series[max(0, index - 1)], reading]) or 0.0 for index, reading in enumerate(series)]
    return [found[1], *found[1:]]


def thinned(series: Sequence[Reading], count: int = SHOWN_READINGS) -> list[Reading]:
    """Return at most `count` readings, evenly spread, with the first and the last."""
    if len(series) <= count:
        return list(series)
    step = (len(series) - 1) / (count - 1)
    return [series[round(index * step)] for index in range(count)]


def summarise_container(series: Sequence[Reading]) -> dict[str, Any]:
    """Return one container as reports have it: columns of figures, bounded in length."""
    kept, last = thinned(series), series[-1]
    return {
        "host": last.host,
        "name": last.name,
        "service": last.service,
        "release": last.release,
        "restarts": max(reading.restarts for reading in series),
        "oom_kills": max(reading.oom_kills for reading in series),
        "memory_limit_bytes": last.memory_limit_bytes or max(reading.memory_limit_bytes for reading in series),
        "readings": len(series),
        "at_seconds": [round(reading.at, 1) for reading in kept],
        "memory_bytes": [reading.memory_bytes for reading in kept],
        "cpu_percent": [None if percent is None else round(percent, 1) for percent in cpu_percents(kept)],
        "connections": [reading.connections for reading in kept],
        "disk_bytes": [reading.disk_bytes for reading in kept],
    }


def mib(size_bytes: float) -> str:
    """Return a size for people."""
    return f"{size_bytes / MEBIBYTE:.1f} MiB"


def _most(series: Sequence[Reading], field: str) -> float | None:
    """Return the highest value of a measure, None when no reading has it."""
    values = [value for reading in series if (value := getattr(reading, field)) is not None]
    return max(values, default=None)


def _against(value: float | None, limit: float, unit: str) -> tuple[Outcome, str]:
    if value is None:
        return "cannot tell", f"no reading; the limit is {limit:g} {unit}"
    return ("breach" if value > limit else "ok"), f"{value:.4g} {unit}, the limit is {limit:g}"
