"""A notice made of facts and put into the outbox: a few files written, nobody waited for."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict, Unpack

from infra.adapters.git import commit_subject
from infra.adapters.process import detach
from infra.domain.notices.notice import OUTCOMES, Notice
from infra.domain.notices.text import plain, top_reason
from infra.notify.channels import run_link, wanting
from infra.notify.outbox import Outbox
from infra.notify.redaction import Redactor
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.domain.notices.notice import Event
    from infra.settings import Settings

NAME_LIMIT = 200
REASON_LIMIT = 500


class Facts(TypedDict, total=False):
    """What is known of an event."""

    release: str
    replaced: str
    commit: str
    who: str
    duration_seconds: float | None
    lost_requests: int | None
    reason: str


def put_notice(
    settings: Settings, event: Event, run_id: str, environ: Mapping[str, str], **facts: Unpack[Facts]
) -> list[str]:
    """Keep a notice for every channel that wants it; return the channels that did not have it yet.

    That a run had an outcome is kept too where somebody wants to know of another one: the sender would ask the hosts.
    """
    channels, outbox = wanting(settings, event, environ), Outbox.of(settings.stack)
    put: list[str] = []
    if channels:
        notice = make_notice(settings, event, run_id, environ, **facts)
        put = [channel for channel in channels if outbox.put(notice, channel)]
    if event in OUTCOMES and any(wanting(settings, outcome, environ) for outcome in OUTCOMES):
        outbox.mark_outcome(run_id, facts.get("release", ""))
    return put


def make_notice(
    settings: Settings, event: Event, run_id: str, environ: Mapping[str, str], **facts: Unpack[Facts]
) -> Notice:
    """Return the notice, its texts redacted and made harmless."""
    redacted = Redactor(settings, environ)
    release = facts.get("release", "")
    commit = facts.get("commit", "")
    return Notice(
        event=event,
        stack=settings.stack,
        run_id=plain(run_id, NAME_LIMIT),
        at=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        release=plain(redacted(release), NAME_LIMIT),
        version=plain(redacted(version_of(release)), NAME_LIMIT),
        replaced=plain(redacted(facts.get("replaced", "")), NAME_LIMIT),
        commit=plain(commit, NAME_LIMIT),
        subject=plain(redacted(commit_subject(PROJECT_ROOT, commit)), NAME_LIMIT),
        who=plain(redacted(facts.get("who", "")), NAME_LIMIT),
        duration_seconds=facts.get("duration_seconds"),
        lost_requests=facts.get("lost_requests"),
        reason=top_reason(redacted(facts.get("reason", "")), REASON_LIMIT),
        links={**run_link(environ), **settings.notifications.links},
    )


def version_of(release: str) -> str:
    """Return the version in a release id, `<version>-<8 hex>`."""
    return release.rpartition("-")[0]


def start_sender(stack: str, *arguments: str) -> None:
    """Start the process that sends what is in the outbox; it goes on when this one has ended."""
    detach([sys.executable, "-m", "infra.notify", stack, *arguments], cwd=PROJECT_ROOT)
