"""What a release cost its users, as a probe saw it, and what of it was the probe's own doing; pure."""

from __future__ import annotations

import bisect
import itertools
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

P99 = 0.99
SHOWN_LOSSES = 20
DEFAULT_SLOW_MS = 1000.0

Blame = Literal["server", "time", "runner"]
"""Whom a loss speaks against: the server said no; nothing came in time; this machine could not even ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request's fate, in seconds since the epoch; `lost` says why there was no good answer."""

    name: str
    at: float
    milliseconds: float
    release: str | None
    lost: str | None
    blame: Blame = "server"

    @property
    def end(self) -> float:
        """When the answer was there, or given up."""
        return self.at + self.milliseconds / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hiccup:
    """A time in which this machine kept the probe from working: it sent late, or its control target answered late."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a release cost its users; `sent` is the sum of `answered`, `failed` (server's) and `own` (the runner's)."""

    sent: int
    answered: int
    failed: int
    slow: int
    own: int
    longest_gap_ms: float
    p50_ms: float
    p99_ms: float
    started_at: float
    ended_at: float
    by_release: Mapping[str, int]
    reasons: Mapping[str, int]
    losses: Sequence[Mapping[str, Any]] = field(default=())
    silent_routes: Sequence[str] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as the record and reports have it."""
        return {
            "sent": self.sent,
            "answered": self.answered,
            "failed": self.failed,
            "slow": self.slow,
            "own": self.own,
            "longest_gap_ms": round(self.longest_gap_ms, 1),
            "p50_ms": round(self.p50_ms, 2),
            "p99_ms": round(self.p99_ms, 2),
            "from": moment(self.started_at),
            "to": moment(self.ended_at),
            "by_release": dict(self.by_release),
            "reasons": dict(self.reasons),
            "losses": [dict(loss) for loss in self.losses],
            "silent_routes": list(self.silent_routes),
        }


def certify(
    answers: Sequence[Answer],
    hiccups: Sequence[Hiccup] = (),
    *,
    slow_ms: float = DEFAULT_SLOW_MS,
    routes: Collection[str] = (),
) -> Certificate:
    """Return the certificate over `answers`; of `routes`, those that never gave a good one are silent.

    What remains of a request's time after the runner's hiccups are taken off is judged: an answer is slow above
    `slow_ms`, and one that did not come in time is the server's failure above it, the runner's below. A refusal or an
    error status is always the server's. The gap is the longest time between two good answers of one route.
    """
    spans = merged(hiccups)
    good = [answer for answer in answers if answer.lost is None]
    failed = failures(answers, spans, slow_ms=slow_ms)
    times = sorted(net_ms(answer, spans) for answer in good)
    return Certificate(
        sent=len(answers),
        answered=len(good),
        failed=len(failed),
        slow=sum(time > slow_ms for time in times),
        own=len(answers) - len(good) - len(failed),
        longest_gap_ms=longest_gap(good, spans) * 1000,
        p50_ms=statistics.median(times) if times else 0.0,
        p99_ms=times[min(len(times) - 1, int(len(times) * P99))] if times else 0.0,
        started_at=min((answer.at for answer in answers), default=0.0),
        ended_at=max((answer.at for answer in answers), default=0.0),
        by_release=Counter(answer.release or "unknown" for answer in good),
        reasons=Counter(f"{answer.name}: {answer.lost}" for answer in failed),
        losses=shown(failed),
        silent_routes=sorted(set(routes) - {answer.name for answer in good}),
    )


def failures(answers: Iterable[Answer], hiccups: Iterable[Hiccup], *, slow_ms: float) -> list[Answer]:
    """Return what the server lost, without the work that a whole certificate is."""
    spans = merged(hiccups)
    lost = [answer for answer in answers if answer.lost is not None]
    return sorted((answer for answer in lost if not is_own(answer, spans, slow_ms)), key=lambda answer: answer.at)


def is_own(answer: Answer, spans: Sequence[Hiccup], slow_ms: float) -> bool:
    """Return whether a lost request was lost by the runner: it could not send, or was itself away for the time."""
    return answer.blame == "runner" or (answer.blame == "time" and net_ms(answer, spans) <= slow_ms)


def net_ms(answer: Answer, spans: Sequence[Hiccup]) -> float:
    """Return a request's time without the runner's hiccups."""
    return max(0.0, answer.milliseconds - 1000 * overlap(answer.at, answer.end, spans))


def overlap(start: float, end: float, spans: Sequence[Hiccup]) -> float:
    """Return how many seconds between two moments lie in `spans`, which are in order and do not overlap."""
    first = bisect.bisect_right(spans, start, key=lambda span: span.end)
    near = itertools.takewhile(lambda span: span.start < end, itertools.islice(spans, first, None))
    return sum(min(end, span.end) - max(start, span.start) for span in near)


def merged(hiccups: Iterable[Hiccup]) -> list[Hiccup]:
    """Return the same times as spans in order that do not overlap."""
    spans: list[Hiccup] = []
    for hiccup in sorted(hiccups, key=lambda each: each.start):
        if spans and hiccup.start <= spans[-1].end:
            spans[-1] = Hiccup(start=spans[-1].start, end=max(spans[-1].end, hiccup.end))
        else:
            spans.append(hiccup)
    return spans


def longest_gap(good: Iterable[Answer], spans: Sequence[Hiccup]) -> float:
    """Return the longest time, in seconds, that any route was without a good answer while the runner worked."""
    ends: defaultdict[str, list[float]] = defaultdict(list)
    for answer in good:
        ends[answer.name].append(answer.end)
    return max(
        (
            later - earlier - overlap(earlier, later, spans)
            for moments in ends.values()
            for earlier, later in itertools.pairwise(sorted(moments))
        ),
        default=0.0,
    )


def once_served(answers: Iterable[Answer]) -> list[Answer]:
    """Return what was sent on each route from its first good answer on: a route that never served lost nothing."""
    kept = list(answers)
    first: dict[str, float] = {}
    for answer in kept:
        if answer.lost is None:
            first[answer.name] = min(answer.at, first.get(answer.name, answer.at))
    return [answer for answer in kept if answer.name in first and answer.at >= first[answer.name]]


def moment(seconds: float) -> str:
    """Return a moment as ISO 8601 in UTC, empty for none."""
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(failed: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return the first failures as evidence."""
    return [
        {
            "at": moment(answer.at),
            "route": answer.name,
            "reason": answer.lost,
            "milliseconds": round(answer.milliseconds, 1),
        }
        for answer in failed[:SHOWN_LOSSES]
    ]
