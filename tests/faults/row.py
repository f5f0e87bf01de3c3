"""One row of the fault matrix: what is done, what must come of it, and what did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.stage import Stage
    from tests.support.traffic import Downtime

Serves = Literal["old", "new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a row's fault led to, before the host is judged at rest.

    `problems` are expectations that were not met; `serves` is the release that must serve afterwards; `record_lags`
    says that the update was killed after its commit, so that only the next one can bring the record up to date.
    """

    text: str
    problems: tuple[str, ...] = ()
    serves: Serves = "old"
    record_lags: bool = False
    downtimes: tuple[Downtime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault; `allowed_lost` is how many unrepeatable requests it may cost outside of down times of its own.

    `follow` asks for a good release after it; `shows_release` says that the row cannot pass without a good release of
    its own that comes to serve, so that it is one for the row before it, too.
    """

    name: str
    expected: str
    act: Callable[[Stage], Seen]
    allowed_lost: int = 0
    hosts: int = 1
    in_subset: bool = False
    follow: bool = True
    shows_release: bool = False
    search: bool = True
    paste: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a row."""

    name: str
    expected: str
    seen: str
    lost: int
    lost_in_downtime: int
    sent: int
    seconds: float
    problems: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the row as `--json` prints it."""
        return {
            "name": self.name,
            "expected": self.expected,
            "seen": self.seen,
            "lost": self.lost,
            "lost_in_downtime": self.lost_in_downtime,
            "sent": self.sent,
            "seconds": round(self.seconds, 1),
            "passed": self.passed,
            "problems": list(self.problems),
        }
