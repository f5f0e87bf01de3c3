from __future__ import annotations

import json
import logging
import queue
from typing import TYPE_CHECKING

from acp_reference.core import logs
from acp_reference.core.logs import LineFormatter, WaitingLines

from tests.unit.app.environment import settings

if TYPE_CHECKING:
    import pytest


def line(message: str, *arguments: object, **extra: object) -> str:
    """Give a formatted record."""
    record = logging.LogRecord("acp.test", logging.INFO, __file__, 1, message, arguments, None)
    vars(record).update(extra)
    return LineFormatter(settings()).format(record)


def test_a_line_is_json_with_the_release() -> None:
    """A collector can tell which release said what, with the fields of the caller."""
    body = json.loads(line("hello %s", "world", fields={"status": 200}))

    assert body["message"] == "hello world"
    assert (body["service"], body["release"], body["level"], body["status"]) == (
        "acp-ingest",
        "v1.4.2-1a2b3c4d",
        "info",
        200,
    )


def test_no_secret_gets_into_a_line() -> None:
    """A secret is blanked out of messages, fields and errors, also a password alone."""
    failure = OSError("cannot reach postgresql://acp:db%2Fpass@postgres:5432/acp")
    error = (OSError, failure, None)

    text = line("key %s", "model-key-value", fields={"password": "db/pass"}, exc_info=error)

    assert text.count("[secret]") == 3
    for secret in ("model-key-value", "db/pass", "db%2Fpass"):
        assert secret not in text


def test_text_lines_are_redacted_too() -> None:
    """`LOG_FORMAT=text` is for people, and just as careful."""
    record = logging.LogRecord("acp.test", logging.INFO, __file__, 1, "jwt-key-value", (), None)

    assert "jwt-key-value" not in LineFormatter(settings(LOG_FORMAT="text")).format(record)


def test_a_secret_with_quotes_is_redacted_in_json() -> None:
    """The form that JSON gives a secret is as secret as the secret."""
    record = logging.LogRecord("acp.test", logging.INFO, __file__, 1, 'got pa"ss\\word', (), None)

    assert "word" not in LineFormatter(settings(SECRET_KEY='pa"ss\\word')).format(record)


def test_lines_wait_for_their_reader_and_not_the_other_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody reading, lines wait up to a limit, then are dropped; the next line that fits says how many."""
    monkeypatch.setattr(logs, "MOST_WAITING", 2)
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = WaitingLines(lines)
    handler.setFormatter(LineFormatter(settings()))
    for number in range(5):
        handler.emit(logging.LogRecord("acp.test", logging.INFO, __file__, 1, "line %s", (number,), None))
    kept = [json.loads(lines.get().getMessage())["message"] for _ in range(lines.qsize())]
    handler.emit(logging.LogRecord("acp.test", logging.INFO, __file__, 1, "pa55word jwt-key-value", (), None))
    later = [json.loads(lines.get().getMessage())["message"] for _ in range(lines.qsize())]

    assert kept == ["line 0", "line 1"]
    assert later == ["3 log lines were dropped: nobody read standard output", "pa55word [secret]"]
