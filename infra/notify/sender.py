"""Empties an outbox: each channel in order, with patience, and never two senders at once."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tenacity import RetryError, Retrying, retry_if_exception_type
from tenacity.wait import wait_exponential_jitter

from infra.notify.delivery import DelayedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tenacity import RetryCallState

    from infra.notify.channels import Transport
    from infra.notify.outbox import Letter, Outbox

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
POLL_SECONDS = 0.5
REST_STEP_SECONDS = 5.0


class Sender:
    """Sends what is pending, for as long as it is let."""

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        *,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; until `end_by` is called there is no end to its patience."""
        self._outbox = outbox
        self._transport = transport
        self._backoff = wait_exponential_jitter(
            initial=first_pause_seconds, max=LONGEST_PAUSE_SECONDS, jitter=first_pause_seconds
        )
        self._pause = pause
        self._deadline = math.inf
        self._ending = threading.Event()

    def end_by(self, deadline: float) -> None:
        """Go on only until everything is delivered, at the latest until `deadline` (monotonic)."""
        self._deadline = deadline
        self._ending.set()

    def run(self, channels: Collection[str]) -> None:
        """Send what is there and what still comes, until told to end; a channel that is down delays no other."""
        names = sorted({*channels, *self._outbox.channels()})
        with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
            for done in [pool.submit(self._serve, name) for name in names]:
                done.result()

    def _serve(self, channel: str) -> None:
        """Serve one channel until the end."""
        while True:
            with self._outbox.locked(f"{channel}-sending") as is_ours:
                if is_ours and not self._empty(channel):
                    return
            # Looked at after the lock was let go: who found it taken has put its letter there by then.
            if self._ending.is_set() and (self._remaining() <= 0 or not self._outbox.letters(channel, "pending")):
                return
            self._pause(min(POLL_SECONDS, max(self._remaining(), 0.0)))

    def _empty(self, channel: str) -> bool:
        """Send one channel's letters, the oldest first; return False when the time is over before all are sent."""
        return all(self._send(letter) for letter in self._outbox.letters(channel, "pending"))

    def _send(self, letter: Letter) -> bool:
        """Send a letter until it is taken or refused; return False when the time is over."""
        wanted = letter.not_before - time.time()
        if wanted > self._remaining():
            return False
        self._rest(wanted)
        attempts = Retrying(
            retry=retry_if_exception_type(DelayedError),
            wait=self._wait,
            stop=self._is_over,
            sleep=self._rest,
        )
        try:
            for attempt in attempts:
                with attempt:
                    self._attempt(
                        dataclasses.replace(letter, attempts=letter.attempts + attempt.retry_state.attempt_number)
                    )
        except RetryError:
            return False
        return True

    def _attempt(self, letter: Letter) -> None:
        """Try once, and write down what came of it before anything else."""
        if self._remaining() <= 0:
            raise DelayedError(letter.last_error)
        try:
            self._transport.deliver(letter.notice, letter.channel)
        except DelayedError as error:
            self._outbox.note(letter, error.why, time.time() + error.after_seconds if error.after_seconds else 0.0)
            raise
        except RefusedError as error:
            self._outbox.close(letter, "refused", error.why, _now())
        except Exception as error:  # noqa: BLE001 - a fault of ours must not keep the other letters from being sent
            # Only its kind: the text of an unexpected error may quote an address.
            self._outbox.close(letter, "refused", f"unexpected {type(error).__name__}", _now())
        else:
            self._outbox.close(letter, "delivered", "", _now())

    def _wait(self, state: RetryCallState) -> float:
        """Return what the receiver asked for, or a pause that grows."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.after_seconds if isinstance(error, DelayedError) else 0.0
        return max(asked, self._backoff(state))

    def _rest(self, seconds: float) -> None:
        """Pause, not beyond a deadline that is set meanwhile."""
        left = seconds
        while left > 0 and self._remaining() > 0:
            step = min(left, REST_STEP_SECONDS)
            self._pause(step)
            left -= step

    def _is_over(self, state: RetryCallState) -> bool:
        return state.upcoming_sleep > self._remaining()

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
