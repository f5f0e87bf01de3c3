"""Log lines on standard output, as JSON or text, with secret values blanked out."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acp_reference.core.settings import Settings

_BLANK = "[secret]"


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


def configure_logging(settings: Settings) -> None:
    """Send all loggers through the one handler, at the level the settings ask for."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LineFormatter(settings))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # These say at INFO what our own access line says already.
    for noisy in ("httpx", "httpcore", "uvicorn.access", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
