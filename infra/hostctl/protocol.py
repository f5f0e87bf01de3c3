"""The request on stdin and the answer on stdout."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

from .errors import HostctlError

if TYPE_CHECKING:
    from typing import BinaryIO, TextIO

    from .redact import Redactor

LARGEST_REQUEST_BYTES = 8 * 1024 * 1024


def read_request(stream: BinaryIO) -> dict[str, Any]:
    """Return the one JSON object on stdin; what it holds is never quoted."""
    content = stream.read(LARGEST_REQUEST_BYTES + 1)
    if len(content) > LARGEST_REQUEST_BYTES:
        raise HostctlError("bad_request", f"the request is larger than {LARGEST_REQUEST_BYTES} bytes")
    try:
        request = json.loads(content)
    except ValueError:
        raise HostctlError("bad_request", "the request is not JSON") from None
    if not isinstance(request, dict):
        raise HostctlError("bad_request", "the request must be a JSON object")
    return request


class Answer:
    """Writes JSON lines, secrets masked; a reader that went away does not stop the work."""

    def __init__(self, redactor: Redactor, stream: TextIO | None = None) -> None:
        """Write to `stream`, or stdout."""
        self.redactor = redactor
        self._stream = stream or sys.stdout
        self._lock = threading.Lock()

    def taken(self) -> None:
        """Tell that the request has arrived, before anything is done about it."""
        self._write({"event": "taken"})

    def progress(self, phase: str, message: str) -> None:
        """Tell what is being done."""
        self._write({"event": "progress", "phase": phase, "message": message})

    def result(self, command: str, value: dict[str, Any]) -> None:
        """End with a result."""
        self._write({"event": "result", "command": command, **value})

    def error(self, error: HostctlError) -> None:
        """End with an error."""
        self._write(error.to_event())

    def _write(self, event: dict[str, Any]) -> None:
        """Write one line."""
        line = json.dumps(self.redactor.value(event))
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # the SSH connection is gone: the journal still has it
                self._stream = _Nowhere()


class _Nowhere:
    """A stream that drops everything."""

    def write(self, _text: str) -> None:
        """Drop it."""

    def flush(self) -> None:
        """Have nothing to flush."""
