"""Waivers: findings that somebody answers for, for a reason and for at most thirty days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import date

    from infra.domain.findings import Finding

LONGEST_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One accepted finding: its id in one package (or file), who answers for it, why, and the last day it counts."""

    id: str
    package: str
    owner: str
    reason: str
    expires: date
    stacks: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return what names the waiver in reports."""
        return f"{self.id} in {self.package}"

    def covers(self, finding: Finding) -> bool:
        """Return whether this is the finding meant."""
        return (self.id, self.package) == (finding.id, finding.package)


def for_stack(waivers: Iterable[Waiver], stack: str) -> tuple[Waiver, ...]:
    """Return the waivers that count on `stack`: those that name it, or no stack at all."""
    return tuple(waiver for waiver in waivers if not waiver.stacks or stack in waiver.stacks)


def waiver_problems(waivers: Sequence[Waiver], today: date) -> Iterator[str]:
    """Yield what is wrong with the waivers themselves: expired, too long, or there twice."""
    latest = today + timedelta(days=LONGEST_DAYS)
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for waiver in waivers:
        if waiver.expires < today:
            yield f"waiver {waiver.key} expired on {waiver.expires} (owner {waiver.owner})"
        elif waiver.expires > latest:
            yield f"waiver {waiver.key} ends on {waiver.expires}: at most {LONGEST_DAYS} days from today, {latest}"
        if (waiver.key, waiver.stacks) in seen:
            yield f"waiver {waiver.key} stands twice"
        seen.add((waiver.key, waiver.stacks))


def unused_waivers(waivers: Iterable[Waiver], used: Collection[str]) -> list[str]:
    """Return the problem of every waiver that no image of the stack needed (`used` has the keys of those needed)."""
    return [
        f"waiver {waiver.key} is not used: no image of the stack has that finding (owner {waiver.owner})"
        for waiver in waivers
        if waiver.key not in used
    ]
