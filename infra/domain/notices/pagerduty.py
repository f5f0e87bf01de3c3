"""A notice for PagerDuty's Events API v2: an incident begins with the first failure and ends with the recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.notices.text import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.domain.notices.notice import Event, Notice

SUMMARY_LIMIT = 1024
DETAIL_LIMIT = 2000
LINKS_LIMIT = 10
# A revert leaves a verified release serving; after another failure nobody has looked yet.
SEVERITIES: Mapping[Event, str] = {"failed": "critical", "reverted": "error", "drift": "warning"}
RECOVERIES: frozenset[Event] = frozenset({"succeeded", "rolled-back"})


def pagerduty_event(notice: Notice, routing_key: str) -> dict[str, Any]:
    """Return the request body: a trigger for a failure, a resolve for a recovery, under the stack's one key."""
    common = {"routing_key": routing_key, "dedup_key": incident_key(notice.stack)}
    if notice.event in RECOVERIES:
        return {**common, "event_action": "resolve"}
    summary = f"{notice.title}: {notice.reason}" if notice.reason else notice.title
    links = [{"href": url, "text": label} for label, url in list(notice.links.items())[:LINKS_LIMIT]]
    return {
        **common,
        "event_action": "trigger",
        "client": "acp-release",
        **({"client_url": links[0]["href"]} if links else {}),
        "links": links,
        "payload": {
            "summary": cut(summary, SUMMARY_LIMIT),
            "source": notice.stack,
            "severity": SEVERITIES[notice.event],
            "timestamp": notice.at,
            "component": "analyst-copilot",
            "group": notice.stack,
            "class": notice.event,
            "custom_details": {label: cut(value, DETAIL_LIMIT) for label, value in notice.facts},
        },
    }


def incident_key(stack: str) -> str:
    """Return the key of a stack's incident.

    It needs no memory, so any runner can resolve what another one opened: while an incident is open, further failures
    join it, and after its end the same key opens the next one.
    """
    return f"acp-release/{stack}"
