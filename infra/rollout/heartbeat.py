"""Renews lease and trial on every host while the driver works; a renewal that is refused stops the rollout."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from infra.errors import HostUnreachableError, ReleaseError
from infra.rollout.cancellation import require_wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

    from infra.rollout.hosts import HostGroup

CALL_TIMEOUT_SECONDS = 20.0
UNREACHABLE_LIMIT = 3
"""So many renewals in a row that do not reach a host are more than a lost packet."""


class Heartbeat:
    """A background thread; `check` raises in the driver's thread what the renewal met."""

    def __init__(self, group: HostGroup, release: str, *, interval_seconds: float, silent_seconds: float) -> None:
        """Prepare the heartbeat of one rollout; it begins with the context, on no host.

        A host that has not answered for `silent_seconds` is given up with the next renewal that fails.
        """
        self._group = group
        self._release = release
        self._interval_seconds = interval_seconds
        self._silent_seconds = silent_seconds
        self._stop = threading.Event()
        self._failure: ReleaseError | None = None
        self._silent: dict[str, int] = {}
        self._answered: dict[str, float] = {}
        self._noting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop renewing; what failed has to be taken back at once, whatever renewal is under way."""
        if error is None:
            self.stop()
        else:
            self._stop.set()

    def watch(self, hosts: Collection[str]) -> None:
        """Renew from now on also on these hosts, which have just answered."""
        with self._noting:
            self._answered = {**self._answered, **dict.fromkeys(hosts, time.monotonic())}

    def stop(self) -> None:
        """Stop renewing and wait for a renewal that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=CALL_TIMEOUT_SECONDS)

    def check(self) -> None:
        """Raise what a renewal met, if anything, and when nobody wants the update any more."""
        require_wanted()
        if self._failure is not None:
            raise self._failure

    def wait(self, seconds: float) -> None:
        """Wait, and raise as soon as a renewal is refused or the update is cancelled."""
        pause = threading.Event()
        remaining = seconds
        while remaining > 0:
            self.check()
            pause.wait(min(0.5, remaining))
            remaining -= 0.5
        self.check()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_seconds):
            group = self._group.only(self._answered)
            results, errors = group.attempt(
                lambda client: self._group.ask(
                    client, "renew", timeout_seconds=CALL_TIMEOUT_SECONDS, release=self._release
                )
            )
            self._judge(results, errors)
            if self._failure is not None:
                return

    def _judge(self, answered: Collection[str], errors: Mapping[str, ReleaseError]) -> None:
        """Take a refusal at once, a silent host only after some time or renewals: one lost packet is no verdict."""
        self.watch(answered)
        self._silent = {name: self._silent.get(name, 0) + 1 for name in errors}
        for name, error in errors.items():
            is_lost = self._silent[name] >= UNREACHABLE_LIMIT or self._silence_of(name) >= self._silent_seconds
            if not isinstance(error, HostUnreachableError) or is_lost:
                self._failure = error
                return

    def _silence_of(self, name: str) -> float:
        return time.monotonic() - self._answered.get(name, time.monotonic())
