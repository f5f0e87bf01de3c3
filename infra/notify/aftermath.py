"""What became of a run that began and then said no more: its candidate did not start, or the update was killed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.errors import ReleaseError
from infra.rollout.context import host_clients

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.adapters.hostctl import HostctlClient
    from infra.domain.notices.notice import Event
    from infra.settings import Settings

STATUS_SECONDS = 30.0
POLL_SECONDS = 2.0
MARGIN_SECONDS = 60.0
SILENT = "the update ended without a verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What the hosts did: the event it amounts to, why, and the one release that serves (or empty)."""

    event: Event
    reason: str
    serving: str = ""


def find_aftermath(
    settings: Settings, release: str, since: float, pause: Callable[[float], None] = time.sleep
) -> Aftermath:
    """Return what the hosts did with a release that nobody drives any more, in the run that began at `since` (Unix).

    A trial is waited for: without a driver the host ends it at its deadline.
    """
    deadline = time.monotonic() + settings.rollout.confirm_timeout_seconds + MARGIN_SECONDS
    while True:
        answers = [_status(client) for client in host_clients(settings)]
        on_trial = [answer for answer in answers if answer.get("candidate") == release]
        if not on_trial or time.monotonic() > deadline:
            return _judge(answers, release, since)
        left = max((float(answer.get("deadline_seconds") or 0.0) for answer in on_trial), default=0.0)
        pause(max(POLL_SECONDS, left))


def _judge(answers: list[dict[str, Any]], release: str, since: float) -> Aftermath:
    """Return what the hosts' answers amount to."""
    releases = {str(answer.get("serving") or "") for answer in answers}
    serving = next(iter(releases)) if len(releases) == 1 else ""
    event, reason = _verdict(answers, release, since)
    return Aftermath(event=event, reason=reason, serving=serving)


def _verdict(answers: list[dict[str, Any]], release: str, since: float) -> tuple[Event, str]:
    """Return the event and the reason; a trial of an earlier attempt at the same release says nothing of this one."""
    trials = [trial for answer in answers if (trial := answer.get("last_trial")) and trial["release"] == release]
    own = [trial for trial in trials if datetime.fromisoformat(trial["at"]).timestamp() >= since]
    reverted = [trial for trial in own if trial["outcome"] == "reverted"]
    if reverted:
        return "reverted", str(reverted[0]["reason"])
    if any(answer.get("serving") == release for answer in answers):
        return "failed", f"{SILENT}: hosts serve {release}, but it is not in the record; run the update again"
    silent = sorted(answer["host"] for answer in answers if "error" in answer)
    if silent:
        return "failed", f"{SILENT}, and {', '.join(silent)} cannot be asked"
    return "failed", f"{SILENT}; nothing was changed on the hosts"


def _status(client: HostctlClient) -> dict[str, Any]:
    """Return a host's status, or that there is none."""
    try:
        return client.call("status", timeout_seconds=STATUS_SECONDS)
    except ReleaseError as error:
        return {"host": client.host.name, "error": error.what}
