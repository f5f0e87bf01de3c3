"""A notice for a Microsoft Teams workflow ("when a webhook request is received"): an Adaptive Card.

Texts are `TextRun`s, in which Teams, unlike in a `TextBlock` or a fact, reads no Markdown; a mention would need an
`entities` entry, and the card has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.notices.notice import TONES
from infra.domain.notices.text import cut

if TYPE_CHECKING:
    from infra.domain.notices.notice import Notice

TITLE_LIMIT = 250
FACT_LIMIT = 500
REASON_LIMIT = 2000
LABEL_LIMIT = 50
ACTIONS_LIMIT = 6
COLOURS = {"good": "Good", "bad": "Attention", "neutral": "Accent"}
CARD = "application/vnd.microsoft.card.adaptive"


def teams_message(notice: Notice) -> dict[str, Any]:
    """Return the request body."""
    title = _run(cut(notice.title, TITLE_LIMIT), weight="Bolder", size="Large", color=COLOURS[TONES[notice.event]])
    body = [_block(title)]
    body += [
        _block(_run(f"{label}: ", weight="Bolder"), _run(cut(value, FACT_LIMIT)), spacing="Small")
        for label, value in notice.facts
    ]
    if notice.reason:
        body.append(_block(_run(cut(notice.reason, REASON_LIMIT)), separator=True))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": cut(notice.title, TITLE_LIMIT),
        "body": body,
        "actions": [
            {"type": "Action.OpenUrl", "title": cut(label, LABEL_LIMIT), "url": url}
            for label, url in list(notice.links.items())[:ACTIONS_LIMIT]
        ],
    }
    return {"type": "message", "attachments": [{"contentType": CARD, "contentUrl": None, "content": card}]}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}


def _block(*runs: dict[str, Any], **layout: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs), **layout}
