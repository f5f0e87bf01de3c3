"""A notice for Slack's incoming webhooks, in Block Kit.

All text that others wrote stands in `plain_text` objects, where Slack reads neither markup nor mentions; `mrkdwn` is
used for the configured links alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.notices.notice import TONES
from infra.domain.notices.text import cut

if TYPE_CHECKING:
    from infra.domain.notices.notice import Notice

HEADER_LIMIT = 150
FIELD_LIMIT = 2000
FIELDS_LIMIT = 10
TEXT_LIMIT = 3000
MARKS = {"good": "✔", "bad": "✖", "neutral": "▶"}
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_IN_LINK = str.maketrans({"&": "&amp;", "<": "%3C", ">": "%3E", "|": "%7C"})


def slack_message(notice: Notice) -> dict[str, Any]:
    """Return the request body."""
    title = f"{MARKS[TONES[notice.event]]} {notice.title}"
    fields = [_plain(f"{label}: {value}", FIELD_LIMIT) for label, value in notice.facts[:FIELDS_LIMIT]]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(title, HEADER_LIMIT)},
        {"type": "section", "fields": fields},
    ]
    if notice.reason:
        blocks.append({"type": "section", "text": _plain(notice.reason, TEXT_LIMIT)})
    links = _links(notice)
    if links:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": links, "verbatim": True}})
    # What a push notification shows; Slack reads entities in it, so they are written out.
    fallback = cut(f"{title}. {notice.reason}" if notice.reason else title, TEXT_LIMIT // 5)
    return {
        "text": fallback.translate(_ENTITIES),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": cut(text, limit), "emoji": False}


def _links(notice: Notice) -> str:
    """Return as many links as there is room for; one that is cut would lead elsewhere."""
    text = ""
    for label, url in notice.links.items():
        more = f"{text}{' · ' if text else ''}<{url.translate(_IN_LINK)}|{label.translate(_ENTITIES)}>"
        if len(more) > TEXT_LIMIT:
            break
        text = more
    return text
