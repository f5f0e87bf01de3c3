from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from infra.domain.notices.cloudevent import cloud_event, signature_headers, signing_key
from infra.domain.notices.deployment import STATES, deployment, status
from infra.domain.notices.notice import EVENTS, Event, Notice
from infra.domain.notices.pagerduty import incident_key, pagerduty_event
from infra.domain.notices.slack import slack_message
from infra.domain.notices.teams import teams_message
from infra.domain.notices.text import plain
from infra.notify.mail import message
from infra.settings.notifications import PAGERDUTY_EVENTS, Channel
from tests.support.notices import HOSTILE, ROUTING_KEY, SIGNING_KEY, channel, make_notice
from tests.support.vendor_shapes import shape_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = "x" * 5000
TEAMS_LIMIT_BYTES = 28 * 1024


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a document, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def stuffed(event: Event, text: str) -> Notice:
    """Return a notice whose every free text is `text`."""
    return make_notice(
        event=event, release=text, version=text, replaced=text, commit=text, subject=text, who=text, reason=text
    )


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("text", ["", "ordinary", LONG, plain(HOSTILE, 500)], ids=["empty", "short", "long", "hostile"])
class TestShapes:
    """Every event, with nothing known, with all known and with too much of it, fits what the vendor publishes."""

    def test_slack(self, event: Event, text: str) -> None:
        """The message is Block Kit within its limits."""
        assert shape_problems("slack", slack_message(stuffed(event, text))) == []

    def test_teams(self, event: Event, text: str) -> None:
        """The message is an Adaptive Card of a size that Teams takes."""
        message = teams_message(stuffed(event, text))
        assert shape_problems("teams", message) == []
        assert len(json.dumps(message)) < TEAMS_LIMIT_BYTES

    def test_pagerduty(self, event: Event, text: str) -> None:
        """The event is one of the Events API v2."""
        if event in PAGERDUTY_EVENTS:
            assert shape_problems("pagerduty", pagerduty_event(stuffed(event, text), ROUTING_KEY)) == []

    def test_cloud_event(self, event: Event, text: str) -> None:
        """The event is a CloudEvent 1.0."""
        assert shape_problems("cloudevents", json.loads(cloud_event(stuffed(event, text)))) == []

    def test_github(self, event: Event, text: str) -> None:
        """Deployment and status are what GitHub's API takes."""
        if event in STATES:
            notice = stuffed(event, text or "abc")
            assert shape_problems("github-deployment", deployment(notice, "production")) == []
            sent = status(notice, "production", "https://a.example", "https://b.example")
            assert shape_problems("github-status", sent) == []


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("slack", {"text": "x", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}),
        ("slack", {"text": "x", "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}]}),
        ("teams", {"type": "message", "attachments": []}),
        ("pagerduty", {"routing_key": "short", "event_action": "resolve", "dedup_key": "x"}),
        ("pagerduty", {"routing_key": ROUTING_KEY, "event_action": "trigger", "dedup_key": "x"}),
        ("cloudevents", {"id": "", "source": "/x", "specversion": "1.0", "type": "x"}),
        ("github-deployment", {"task": "deploy"}),
        ("github-status", {"state": "done"}),
    ],
)
def test_the_shapes_refuse_what_the_vendors_refuse(name: str, document: dict[str, Any]) -> None:
    """A schema that takes everything would show nothing."""
    assert shape_problems(name, document) != []


def test_only_configured_links_are_markup_in_slack() -> None:
    """What others wrote is in plain-text objects; the one object with markup has the configured links."""
    document = slack_message(make_notice(reason=HOSTILE, subject=HOSTILE, who=HOSTILE))
    objects = [block.get("text") or {} for block in document["blocks"]]
    assert [found["text"] for found in objects if found.get("type") == "mrkdwn"] == [
        "<https://github.example/o/r/actions/runs/7|run> · <https://wiki.example/acp|runbook>"
    ]
    assert all(field["type"] == "plain_text" and not field["emoji"] for field in document["blocks"][1]["fields"])
    assert not re.search(r"[<>]", document["text"])


def test_a_link_cannot_end_its_own_markup_in_slack() -> None:
    """An address with characters of Slack's link markup stays one link to that address."""
    document = slack_message(make_notice(links={"run": "https://a.example/?x=1&y=|z>"}))
    assert document["blocks"][-1]["text"]["text"] == "<https://a.example/?x=1&amp;y=%7Cz%3E|run>"


def test_teams_gets_no_markdown_and_no_mention() -> None:
    """There is no element in which Teams reads Markdown, and no entity that a mention needs."""
    card = teams_message(make_notice(reason=HOSTILE))["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["msteams"] == {"width": "Full"}


@pytest.mark.parametrize(
    ("event", "action", "severity"),
    [
        ("failed", "trigger", "critical"),
        ("reverted", "trigger", "error"),
        ("drift", "trigger", "warning"),
        ("succeeded", "resolve", None),
        ("rolled-back", "resolve", None),
    ],
)
def test_an_incident_has_one_key_from_failure_to_recovery(event: Event, action: str, severity: str | None) -> None:
    """A failure triggers and a recovery resolves, under the same key for the stack and for no other."""
    sent = pagerduty_event(make_notice(event=event, reason="why"), ROUTING_KEY)
    assert (sent["event_action"], sent["dedup_key"]) == (action, "acp-release/production")
    assert sent.get("payload", {}).get("severity") == severity
    assert incident_key("staging") != incident_key("production")


def test_a_signature_covers_id_time_and_body() -> None:
    """A receiver with the key computes the same signature; another body, time or id gives another."""
    body = cloud_event(make_notice())
    headers = signature_headers("id-1", 1_700_000_000, body, SIGNING_KEY)
    digest = hmac.new(b"signing-key-of-the-test", b"id-1.1700000000." + body, hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "id-1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    others = [("id-2", 1_700_000_000, body), ("id-1", 1_700_000_001, body), ("id-1", 1_700_000_000, body + b" ")]
    assert headers["webhook-signature"] not in {
        signature_headers(*other, SIGNING_KEY)["webhook-signature"] for other in others
    }


@pytest.mark.parametrize("secret", ["a plain key", "whsec_not base64!"])
def test_any_text_can_be_a_key(secret: str) -> None:
    """A key without the prefix, or not in base64 behind it, is used as it is."""
    assert signing_key(secret) == secret.encode()


def test_the_event_has_all_that_is_known() -> None:
    """A program gets verdict, who, figures and links as fields."""
    data = json.loads(cloud_event(make_notice(lost_requests=3, reason="why")))["data"]
    assert data["verdict"] == "production: v1.4.2 is verified and serves"
    assert (data["who"], data["duration_seconds"], data["lost_requests"]) == ("ada@runner", 95.4, 3)
    assert (data["reason"], data["links"]["runbook"]) == ("why", "https://wiki.example/acp")


def test_a_mail_has_verdict_facts_reason_and_links() -> None:
    """Subject and body say what the other channels say."""
    mail = message(make_notice(reason="why"), Channel.model_validate(channel("email")))
    assert (mail["Subject"], mail["To"]) == ("production: v1.4.2 is verified and serves", "team@example.org")
    text = mail.get_content()
    for part in ("Duration: 1 min 35 s", "Lost requests: 0", "why", "runbook: https://wiki.example/acp"):
        assert part in text


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_a_verdict(event: Event) -> None:
    """The title says which stack and what happened, also when nothing else is known."""
    notice = Notice(event=event, stack="staging", run_id="r", at="2026-01-01T00:00:00Z")
    assert notice.title.startswith("staging: ")
    assert notice.facts == [("Stack", "staging")]


def test_the_same_event_of_a_run_is_the_same_notice() -> None:
    """The id depends on stack, run, event and release, not on when or why."""
    one = make_notice()
    assert make_notice(at="2027-01-01T00:00:00Z", reason="other").id == one.id
    others = [
        make_notice(**change) for change in ({"stack": "s"}, {"run_id": "r"}, {"event": "failed"}, {"release": "x"})
    ]
    assert len({one.id, *(other.id for other in others)}) == 5
