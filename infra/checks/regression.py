"""Candidate and current asked the same in turn, over the same minutes and the same way, until a verdict is clear."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from infra.domain.regression import Judgement, Limits, Measured, Pair, Verdict, confirm, judge, looks_slower

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.settings.regression import Regression, SafeRequest

LANES = 6  # questions under way at once, per request and host: more would be a load of its own
SPREAD = 0.75  # of the budget: all pairs at once would be a load, too, and users of the current release would notice
WARM_UP_PAIRS = 3
WARM_UP_SECONDS = 0.5
FIRST_LOOK = 16
FIRST_LOOK_SECONDS = 1.0
GENTLY = 4  # times as long at most from pair to pair up to the first look: few users then notice anything
SECOND_THOUGHT_SECONDS = 1.0  # between two measurements, so that one hiccup is not in both
PATIENCE = 4  # so many budgets are spent at most where answers are too slow for a verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where the two releases answer on one host."""

    candidate_url: str
    current_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One request and the ways to ask it."""

    request: SafeRequest
    ways: Sequence[Way]


def compare(comparisons: Sequence[Comparison], settings: Regression) -> list[Judgement]:
    """Measure all comparisons side by side and return one verdict each."""
    return asyncio.run(_compare_all(comparisons, settings))


def limits_of(settings: Regression) -> Limits:
    """Return the limits that a stack sets."""
    return Limits(
        tolerated_ratio=settings.tolerated_ratio,
        tolerated_ms=settings.tolerated_ms,
        max_ratio=settings.max_ratio,
        max_ms=settings.max_ms,
        confidence=settings.confidence,
    )


def seconds_between_pairs(settings: Regression, *, gently: bool) -> float:
    """Return the time from one pair to the next over all lanes; gently, there are just enough for the first look."""
    usual = SPREAD * settings.budget_seconds / settings.max_pairs
    return max(usual, min(GENTLY * usual, FIRST_LOOK_SECONDS / FIRST_LOOK)) if gently else usual


async def _compare_all(comparisons: Sequence[Comparison], settings: Regression) -> list[Judgement]:
    # A transport of our own: tunnels are asked directly, whatever proxy the environment names. An answer that takes
    # longer than one that is worse in any case need not be waited for much longer.
    async with httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(), timeout=httpx.Timeout(2 * settings.max_ms / 1000)
    ) as client:
        return list(await asyncio.gather(*(_compare_one(client, one, settings) for one in comparisons)))


async def _compare_one(client: httpx.AsyncClient, comparison: Comparison, settings: Regression) -> Judgement:
    """Return the verdict on one request; what looks slower is measured again, for longer, before it is called so."""
    limits = limits_of(settings)
    first = await _Run(client, comparison, settings).measure()
    found = judge(first, limits)
    if not looks_slower(found, limits):
        return found
    await asyncio.sleep(SECOND_THOUGHT_SECONDS)
    longer = {"budget_seconds": 2 * settings.budget_seconds, "max_pairs": 2 * settings.max_pairs}
    second = await _Run(client, comparison, settings.model_copy(update=longer)).measure()
    return confirm(first, second, limits)


@dataclass(slots=True)
class _Run:
    """One comparison under way."""

    client: httpx.AsyncClient
    comparison: Comparison
    settings: Regression
    pairs: list[Pair] = field(default_factory=list)
    candidate_failures: list[str] = field(default_factory=list)
    current_failures: list[str] = field(default_factory=list)
    asked: int = 0
    next_look: int = FIRST_LOOK
    has_looked: bool = False
    is_over: bool = False
    started: float = field(default_factory=time.monotonic)

    async def measure(self) -> Measured:
        """Ask in several lanes per host until it is clear, or enough was asked for."""
        lanes = [way for way in self.comparison.ways for _ in range(LANES)]
        first_seconds = self._seconds_to_next()
        await asyncio.gather(*(self._lane(way, index * first_seconds, len(lanes)) for index, way in enumerate(lanes)))
        return self._measured()

    def _measured(self) -> Measured:
        """Return the pairs so far."""
        request = self.comparison.request
        return Measured(
            service=request.service,
            request=str(request),
            pairs=self.pairs,
            candidate_failures=self.candidate_failures,
            current_failures=self.current_failures,
        )

    def _seconds_to_next(self) -> float:
        """Return the time from one pair to the next, of whichever lane."""
        return seconds_between_pairs(self.settings, gently=not self.has_looked)

    async def _lane(self, way: Way, first_seconds: float, lanes: int) -> None:
        """Ask every `lanes`th pair; the first ones, of cold caches and new connections, do not count."""
        await asyncio.sleep(first_seconds)
        warm_until = time.monotonic() + WARM_UP_SECONDS
        for _ in range(WARM_UP_PAIRS):
            await self._pair(way)
            if time.monotonic() > warm_until:
                break
        while not self._is_done():
            pause_seconds = lanes * self._seconds_to_next()
            (candidate, current), _ = await asyncio.gather(self._pair(way), asyncio.sleep(pause_seconds))
            self.candidate_failures += [candidate] if isinstance(candidate, str) else []
            self.current_failures += [current] if isinstance(current, str) else []
            if isinstance(candidate, float) and isinstance(current, float):
                self.pairs.append(Pair(candidate_ms=candidate, current_ms=current))

    async def _pair(self, way: Way) -> tuple[float | str, float | str]:
        """Return both releases' times, or why one failed; who is asked first changes from pair to pair."""
        self.asked += 1
        if self.asked % 2:
            candidate = await self._ask(way.candidate_url)
            return candidate, await self._ask(way.current_url)
        current = await self._ask(way.current_url)
        return await self._ask(way.candidate_url), current

    async def _ask(self, url: str) -> float | str:
        """Return the milliseconds of one answer, or what was wrong with it."""
        request = self.comparison.request
        began = time.perf_counter()
        try:
            response = await self.client.request(request.method, url + request.path, json=request.body)
        except httpx.HTTPError as error:
            return f"no answer ({type(error).__name__})"
        took = (time.perf_counter() - began) * 1000
        return took if response.status_code == request.status else f"status {response.status_code}"

    def _is_done(self) -> bool:
        """Look at the verdict whenever the pairs have doubled; stop when it is clear, or time or pairs are used up."""
        if self.is_over:
            return True
        tried = len(self.pairs) + max(len(self.candidate_failures), len(self.current_failures))
        seconds = time.monotonic() - self.started
        if tried >= self.next_look and seconds >= FIRST_LOOK_SECONDS:
            self.next_look = 2 * tried
            self.has_looked = True
            early = limits_of(self.settings).early()
            measured = self._measured()
            verdict = judge(measured, early).verdict
            # A failure may be the first of many: such a candidate is not fine before all of its pairs.
            self.is_over = verdict is Verdict.WORSE or (verdict is Verdict.FINE and measured.more_failures <= 0)
        spent = seconds / self.settings.budget_seconds
        is_enough = spent > 1 and tried >= FIRST_LOOK
        self.is_over = self.is_over or is_enough or spent > PATIENCE or tried >= self.settings.max_pairs
        return self.is_over
