"""A notice and channels, to be bent by each test."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from infra.domain.notices.notice import Notice
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from infra.settings import Settings

HOSTILE = (
    "<!channel> @everyone <at>all</at> <@U123> [click](https://evil.example) <https://evil.example|safe> "
    "https://evil.example/x www.evil.example *b* `c` &lt;!here&gt; \u202egnp\u0007\r\nBcc: x@evil.example"
)
ROUTING_KEY = "r" * 32
SIGNING_KEY = "whsec_c2lnbmluZy1rZXktb2YtdGhlLXRlc3Q="

_NOTICE = Notice(
    event="succeeded",
    stack="production",
    run_id="ci-7-1",
    at="2026-03-04T05:06:07.000008Z",
    release="v1.4.2-1a2b3c4d",
    version="v1.4.2",
    replaced="v1.4.1-00000000",
    commit="c" * 40,
    subject="Search faster",
    who="ada@runner",
    duration_seconds=95.4,
    lost_requests=0,
    links={"run": "https://github.example/o/r/actions/runs/7", "runbook": "https://wiki.example/acp"},
)


def make_notice(**changes: Any) -> Notice:
    """Return a notice of a good release."""
    return dataclasses.replace(_NOTICE, **changes)


def channel(kind: str, **changes: Any) -> dict[str, Any]:
    """Return the values of a valid channel, named after its kind."""
    own: dict[str, dict[str, Any]] = {
        "webhook": {"signing_secret": "WEBHOOK_KEY"},
        "email": {"sender": "acp@example.org", "recipients": ["team@example.org"]},
    }
    return {"name": kind, "kind": kind, "secret": f"{kind.upper()}_TARGET", **own.get(kind, {}), **changes}


def notifying(*channels: dict[str, Any], **changes: Any) -> Settings:
    """Return the settings of a stack with these channels."""
    return make_settings(notifications={"channels": list(channels), **changes})
