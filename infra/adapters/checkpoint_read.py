"""Reading a stack's state beside an update that writes it."""

from __future__ import annotations

from tenacity import retry, retry_if_exception_message, stop_after_attempt, wait_fixed

ATTEMPTS = 20
PAUSE_SECONDS = 0.1

until_whole = retry(
    retry=retry_if_exception_message(match=".*failed to load checkpoint"),
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_fixed(PAUSE_SECONDS),
    reraise=True,
)
"""Makes a function read again: a folder backend writes its checkpoint in place, so a reader may find half a file."""
