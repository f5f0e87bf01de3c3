"""One run of checks: the connection they share, what was asked once for all of them, and what they made and remove."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from infra.checks.ask import Answer, ask
from infra.checks.failing import Failing
from infra.checks.tls import trust

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

    from infra.adapters.hostctl import HostctlClient
    from infra.checks.subject import Subject
    from infra.checks.target import Target

ASK_AGAIN_SECONDS = 0.15
"""How long after an answer the same is asked once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAgain:
    """The first and the last answer to what was asked again and again, and the seconds from the first request on."""

    first: Answer
    last: Answer
    seconds: float


@contextlib.asynccontextmanager
async def inquiring(subject: Subject, *, passes: int, timeout_seconds: float) -> AsyncIterator[Inquiry]:
    """Yield an inquiry with connections of its own.

    Hosts and tunnels are asked directly, whatever proxy the environment names.
    """
    transport = httpx.AsyncHTTPTransport(verify=trust(subject.settings))
    async with httpx.AsyncClient(transport=transport) as http:
        yield Inquiry(subject, http, passes=passes, timeout_seconds=timeout_seconds)


class Inquiry:
    """What every check gets."""

    def __init__(self, subject: Subject, http: httpx.AsyncClient, *, passes: int, timeout_seconds: float) -> None:
        """Begin: all checks end within `timeout_seconds` from now."""
        self.subject = subject
        self.settings = subject.settings
        self.http = http
        self.passes = passes
        self.made: list[tuple[Target, str]] = []
        self.answered: dict[str, str] = {}
        self._deadline = time.monotonic() + timeout_seconds
        self._known: dict[Hashable, asyncio.Task[Any]] = {}

    @property
    def remaining_seconds(self) -> float:
        """Return the time that is left, 0 when it is over."""
        return max(0.0, self._deadline - time.monotonic())

    async def once(self, key: Hashable, find: Callable[[], Awaitable[Any]]) -> Any:
        """Return what `find` gives; whoever asks for the same `key` later gets the same."""
        if key not in self._known:
            self._known[key] = asyncio.ensure_future(find())
        # One check that runs out of time must not take away what others wait for.
        return await asyncio.shield(self._known[key])

    async def ask(self, target: Target, method: str, path: str, *, json: Any = None) -> Answer:
        """Ask a web service."""
        return await ask(self.http, target, method, path, timeout_seconds=self.remaining_seconds, json=json)

    async def ask_until(
        self,
        target: Target,
        method: str,
        path: str,
        is_decided: Callable[[Answer], bool],
        *,
        within_seconds: float,
        json: Any = None,
    ) -> AskedAgain:
        """Ask a web service again and again: until `is_decided`, it does nothing but fail, or the time is over."""
        began, failing, answers = time.monotonic(), Failing(), list[Answer]()

        async def is_over() -> bool:
            answers.append(await self.ask(target, method, path, json=json))
            return is_decided(answers[-1]) or failing.is_for_good(answers[-1])

        await self.until(is_over, within_seconds=within_seconds, every_seconds=ASK_AGAIN_SECONDS)
        return AskedAgain(first=answers[0], last=answers[-1], seconds=time.monotonic() - began)

    async def health(self, target: Target) -> Answer:
        """Return what a web service says of itself and its dependencies, asked once."""
        answer: Answer = await self.once(
            ("health", target.name), lambda: self.ask(target, "GET", target.service.health.path)
        )
        return answer

    async def host(self, client: HostctlClient, command: str, *, at_most_seconds: float, **request: Any) -> Any:
        """Ask hostctl on a host, beside everything else."""
        seconds = max(1.0, min(at_most_seconds, self.remaining_seconds))
        return await asyncio.to_thread(client.call, command, timeout_seconds=seconds, **request)

    async def until(self, look: Callable[[], Awaitable[bool]], *, within_seconds: float, every_seconds: float) -> bool:
        """Look again and again until it is so or the time is over; return whether it is so."""
        end = time.monotonic() + min(within_seconds, self.remaining_seconds)
        while not await look():
            if time.monotonic() + every_seconds >= end:
                return False
            await asyncio.sleep(every_seconds)
        return True
