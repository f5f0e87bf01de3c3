"""What checks made is taken away again, where the app can do that."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx

from infra.checks.result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.checks.inquiry import Inquiry
    from infra.checks.target import Target

CLEANUP_SECONDS = 8.0
"""What all of it may take, whoever asks for it."""
BUSY_SECONDS = 6.0
LOOK_SECONDS = 0.3
GONE = frozenset({httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED})
"""What an app says that has no such thing, or no way to remove it."""


async def clean_up(inquiry: Inquiry, made: Sequence[tuple[Target, str]]) -> list[CheckResult]:
    """Remove what was made; what stays behind is a warning, never a verdict on the release."""
    found = await asyncio.gather(*(_remove(inquiry, target, path) for target, path in made))
    return [result for result in found if not result.passed]


async def _remove(inquiry: Inquiry, target: Target, path: str) -> CheckResult:
    """Remove one thing; one that is being worked on is waited for."""
    began, answer = time.monotonic(), None

    async def is_settled() -> bool:
        nonlocal answer
        answer = await inquiry.ask(target, "DELETE", path)
        return answer.status != httpx.codes.CONFLICT

    await inquiry.until(is_settled, within_seconds=BUSY_SECONDS, every_seconds=LOOK_SECONDS)
    assert answer is not None  # noqa: S101 - it was asked at least once
    removed = answer.is_success or answer.status in GONE
    return CheckResult(
        check="cleanup",
        target=target.name,
        passed=removed,
        asked=answer.asked,
        came="removed" if removed else f"{answer.came}: it stays behind",
        seconds=time.monotonic() - began,
        look_at="" if removed else "it can be removed by hand",
        severity="warning",
    )
