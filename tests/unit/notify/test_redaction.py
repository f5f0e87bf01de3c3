from __future__ import annotations

import pytest

from infra.notify.redaction import Redactor
from infra.settings.model import SECRET_NAMES
from tests.support.notices import channel, notifying

SETTINGS = notifying(channel("slack"), channel("webhook"))
ENVIRON = {
    **{f"LOCAL_{name}": f"planted-{name.lower()}" for name in (*SECRET_NAMES, "REGISTRY_PASSWORD")},
    "LOCAL_DATABASE_URL": "postgresql://acp:planted-db-pass@db:5432/acp",
    "LOCAL_SLACK_TARGET": "https://hooks.example/services/T0/B0/planted-slack",
    "LOCAL_WEBHOOK_TARGET": "https://in.example/hook?key=planted-webhook",
    "LOCAL_WEBHOOK_KEY": "planted-signing",
    "GITHUB_TOKEN": "planted-github",
    "PULUMI_CONFIG_PASSPHRASE": "planted-passphrase",
    "SSH_KEY": "-----BEGIN-----\nplanted-line-one\nplanted-line-two\n-----END-----",
    "PATH": "/usr/bin",
}


@pytest.mark.parametrize(
    "text",
    [
        *(value for name, value in ENVIRON.items() if name != "PATH"),
        "could not connect as acp with planted-db-pass",
        "POST /services/T0/B0/planted-slack failed",
        "?key=planted-webhook",
        "line: planted-line-two",
        "redis://user:unknown-password@redis:6379/0",
    ],
)
def test_no_secret_is_left_of_any_text(text: str) -> None:
    """Whole values, lines of them, passwords and paths within them, and passwords in any address are taken out."""
    found = Redactor(SETTINGS, ENVIRON)(f"before {text} after")
    assert "planted" not in found
    assert "unknown-password" not in found
    assert found.startswith("before ")
    assert found.endswith(" after")


def test_ordinary_words_stay() -> None:
    """Parts of addresses that are words, as a database's name, are not taken out of sentences."""
    text = "acp-ingest on db answered 503; see /usr/bin"
    assert Redactor(SETTINGS, ENVIRON)(text) == text


def test_it_works_with_what_is_there() -> None:
    """Where some secrets are missing, those that are there are still taken out."""
    environ = {"LOCAL_SECRET_KEY": "planted-only"}
    assert Redactor(SETTINGS, environ)("a planted-only b") == "a [redacted] b"
