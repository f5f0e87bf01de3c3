"""Renews lease and trial on every host while the driver works; a renewal that is refused stops the rollout."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from infra.errors import HostUnreachableError, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from infra.rollout.hosts import HostGroup

CALL_TIMEOUT_SECONDS = 20.0
UNREACHABLE_LIMIT = 3


class Heartbeat:
    """A background thread; `check` raises in the driver's thread what the renewal met."""

    def __init__(self, group: HostGroup, release: str, *, interval_seconds: float) -> None:
        """Prepare the heartbeat of one rollout; it begins with the context."""
        self._group = group
        self._release = release
        self._interval_seconds = interval_seconds
        self._stop = threading.Event()
        self._failure: ReleaseError | None = None
        self._silent: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop renewing."""
        self.stop()

    def stop(self) -> None:
        """Stop renewing and wait for a renewal that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=CALL_TIMEOUT_SECONDS)

    def check(self) -> None:
        """Raise what a renewal met, if anything."""
        if self._failure is not None:
            raise self._failure

    def wait(self, seconds: float) -> None:
        """Wait, and raise as soon as a renewal is refused."""
        pause = threading.Event()
        remaining = seconds
        while remaining > 0:
            self.check()
            pause.wait(min(0.5, remaining))
            remaining -= 0.5
        self.check()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_seconds):
            _, errors = self._group.attempt(
                lambda client: client.call(
                    "renew",
                    timeout_seconds=CALL_TIMEOUT_SECONDS,
                    release=self._release,
                    lease=self._group.leases.get(client.host.name),
                )
            )
            self._judge(errors)
            if self._failure is not None:
                return

    def _judge(self, errors: Mapping[str, ReleaseError]) -> None:
        """Take a refusal at once, a silent host only after some renewals: one lost packet is no verdict."""
        self._silent = {name: self._silent.get(name, 0) + 1 for name in errors}
        for name, error in errors.items():
            if not isinstance(error, HostUnreachableError) or self._silent[name] >= UNREACHABLE_LIMIT:
                self._failure = error
                return
