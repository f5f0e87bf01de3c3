"""One request of a check, and whatever came of it as one value: an answer, or why there was none."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from infra.checks.result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.checks.target import Target

REQUEST_TIMEOUT_SECONDS = 10.0
LEAST_TIMEOUT_SECONDS = 0.5
NOT_RUNNING = "is it running? `acp-release status --stack STACK`"
LOG = "the container's log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request; `status` None means that nobody answered."""

    asked: str
    seconds: float
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    document: Any = None
    failure: str = ""

    @property
    def is_success(self) -> bool:
        """Whether it is an answer with a status of success."""
        return self.status is not None and httpx.codes.is_success(self.status)

    @property
    def came(self) -> str:
        """Return what came in words."""
        return self.failure or f"status {self.status}"

    @property
    def look_at(self) -> str:
        """Return where to look when this is not what was wanted."""
        return NOT_RUNNING if self.status is None else LOG

    def value(self, *names: str) -> Any:
        """Return the first of the named members that the JSON object has, None without one."""
        known = self.document if isinstance(self.document, dict) else {}
        return next((known[name] for name in names if known.get(name) is not None), None)

    def judged(
        self,
        check: str,
        target: str,
        *,
        passed: bool,
        blames: tuple[str, ...],
        came: str = "",
        look_at: str = "",
        seconds: float | None = None,
    ) -> CheckResult:
        """Return the result of a check that this answer decides; `blames` is what a failure points to."""
        return CheckResult(
            check=check,
            target=target,
            passed=passed,
            asked=self.asked,
            came=came or self.came,
            seconds=self.seconds if seconds is None else seconds,
            look_at="" if passed else look_at or self.look_at,
            dependencies=() if passed else blames,
        )


async def send(
    client: httpx.AsyncClient, method: str, url: str, *, shown: str, timeout_seconds: float, **options: Any
) -> Answer:
    """Send one request; `shown` stands for the address wherever it is reported."""
    asked, start = f"{method} {shown}", time.monotonic()
    timeout = max(LEAST_TIMEOUT_SECONDS, min(timeout_seconds, REQUEST_TIMEOUT_SECONDS))
    try:
        response = await client.request(method, url, timeout=timeout, **options)
        text = response.text
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Only the kind of error: its message may quote an address that is a secret.
        return Answer(asked=asked, seconds=time.monotonic() - start, failure=f"no answer ({type(error).__name__})")
    try:
        document = response.json()
    except ValueError:
        document = None
    return Answer(
        asked=asked,
        seconds=time.monotonic() - start,
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        text=text,
        document=document,
    )


async def ask(
    client: httpx.AsyncClient, target: Target, method: str, path: str, *, timeout_seconds: float, json: Any = None
) -> Answer:
    """Ask a web service at its address, under its public name where it has one."""
    return await send(
        client,
        method,
        target.base_url + path,
        shown=path,
        timeout_seconds=timeout_seconds,
        headers=target.request_headers,
        extensions=dict(target.extensions),
        json=json,
    )
