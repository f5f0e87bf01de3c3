"""A notice for programs: a CloudEvent 1.0 in JSON, signed as Standard Webhooks say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.domain.notices.notice import Notice

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
KEY_PREFIX = "whsec_"


def cloud_event(notice: Notice) -> bytes:
    """Return the request body."""
    document = {
        "specversion": "1.0",
        "id": notice.id,
        "source": f"/acp-release/{notice.stack}",
        "type": f"acp.release.{notice.event}.v1",
        **({"subject": notice.release} if notice.release else {}),
        "time": notice.at,
        "datacontenttype": "application/json",
        "data": {
            "event": notice.event,
            "verdict": notice.title,
            "stack": notice.stack,
            "run_id": notice.run_id,
            "release": notice.release,
            "version": notice.version,
            "replaced": notice.replaced,
            "commit": notice.commit,
            "subject": notice.subject,
            "who": notice.who,
            "duration_seconds": notice.duration_seconds,
            "lost_requests": notice.lost_requests,
            "reason": notice.reason,
            "links": dict(notice.links),
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def signature_headers(identity: str, timestamp: int, body: bytes, secret: str) -> dict[str, str]:
    """Return id, time and HMAC-SHA256 of both and the body; a receiver refuses old times and ids it has seen."""
    content = f"{identity}.{timestamp}.".encode() + body
    digest = hmac.new(signing_key(secret), content, hashlib.sha256).digest()
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def signing_key(secret: str) -> bytes:
    """Return the key's bytes: base64 behind `whsec_`, else the text itself."""
    if secret.startswith(KEY_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
        except ValueError:
            return secret.encode()
    return secret.encode()
