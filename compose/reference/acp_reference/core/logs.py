"""Log lines on standard output, as JSON or text, with secret values blanked out.

Whoever reads standard output may be slow, or hang: a thread of its own waits for that, never what answers requests.
"""

from __future__ import annotations

import atexit
import json
import logging
import queue
import sys
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from acp_reference.core.settings import Settings

_BLANK = "[secret]"
MOST_WAITING: Final = 10_000


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """Replace every secret in `text` by a blank."""
    for secret in secrets:
        text = text.replace(secret, _BLANK)
    return text


class LineFormatter(logging.Formatter):
    """Makes one line of a record; what a caller passes as `extra={"fields": {…}}` becomes keys of the JSON."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        escaped = (json.dumps(secret)[1:-1] for secret in settings.secret_values)
        self._secrets = (*settings.secret_values, *escaped)

    def format(self, record: logging.LogRecord) -> str:
        """Give the record as one redacted line."""
        moment = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")
        fields = dict(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        if self._settings.log_format == "text":
            extras = " ".join(f"{key}={value}" for key, value in fields.items())
            line = f"{moment} {record.levelname} {self._settings.service} {record.getMessage()} {extras}".rstrip()
        else:
            line = json.dumps(
                {
                    "timestamp": moment,
                    "level": record.levelname.lower(),
                    "service": self._settings.service,
                    "release": self._settings.release,
                    "logger": record.name,
                    "message": record.getMessage(),
                    **fields,
                },
                default=str,
            )
        return redact(line, self._secrets)


class WaitingLines(QueueHandler):
    """Puts finished lines where a writer takes them, without ever waiting; too many are dropped, and counted."""

    def __init__(self, lines: queue.SimpleQueue[logging.LogRecord]) -> None:
        super().__init__(lines)
        self._lines = lines
        self.dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put a finished record in line, after a word on those that were dropped before it."""
        if self._lines.qsize() >= MOST_WAITING:
            self.dropped += 1
            return
        if self.dropped:
            text = f"{self.dropped} log lines were dropped: nobody read standard output"
            self._lines.put(self.prepare(logging.makeLogRecord({**vars(record), "msg": text, "fields": {}})))
            self.dropped = 0
        self._lines.put(record)


def configure_logging(settings: Settings) -> None:
    """Send all loggers through the one handler, at the level the settings ask for."""
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = WaitingLines(lines)
    handler.setFormatter(LineFormatter(settings))
    writer = QueueListener(lines, logging.StreamHandler(sys.stdout))
    writer.start()
    atexit.register(writer.stop)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # These say at INFO what our own access line says already.
    for noisy in ("httpx", "httpcore", "uvicorn.access", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
