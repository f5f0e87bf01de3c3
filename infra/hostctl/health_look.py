"""A container's health check, run by hostctl as long as Docker has not: its first look comes an interval late."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

from .errors import HostctlError

if TYPE_CHECKING:
    from .clock import Clock
    from .engine import Container, Engine


def _is_unseen(container: Container) -> bool:
    """Return whether a container has a health check of which Docker has no verdict yet."""
    return container.health == "starting" and bool(container.health_check)


class HealthLook:
    """Looks at one container, once at a time, until a look passed.

    A look that takes longer than the health check may take has failed. Nothing ends its program, which goes on in the
    container: so the next one waits for that.
    """

    def __init__(self, engine: Engine, clock: Clock, longest_seconds: float) -> None:
        """Wait for the end of a look no longer than `longest_seconds`, after which nobody asks any more."""
        self._engine = engine
        self._clock = clock
        self._longest_seconds = longest_seconds
        self._under_way: Future[str] | None = None
        self._has_passed = False
        self.trouble = ""
        """What the last look or Docker's own found wrong, unmasked; empty as long as nobody has looked."""

    def is_well(self, container: Container) -> bool:
        """Return whether Docker, or else a look that is over, finds the container well; begin one where none has been.

        A look goes on beside the caller, who asks again after a `pause`.
        """
        if self._under_way is not None and self._under_way.done():
            self.trouble = self._under_way.result()
            self._has_passed, self._under_way = not self.trouble, None
        elif self._under_way is None and not self._has_passed and _is_unseen(container):
            self._begin(container)
        if container.health == "unhealthy":
            self.trouble = f"its health check failed: {container.health_output}"
        return container.health == "healthy" or (container.health == "starting" and self._has_passed)

    def pause(self, seconds: float) -> None:
        """Wait for `seconds`, or until the look under way is over if that comes first."""
        if self._under_way is None:
            self._clock.sleep(seconds)
        else:
            wait([self._under_way], seconds)

    def _begin(self, container: Container) -> None:
        """Begin a look; whoever gives up does not wait for its thread."""
        look: Future[str] = Future()
        self._under_way = look
        self.trouble = self.trouble or "its health check has not ended"
        threading.Thread(target=lambda: look.set_result(self._look(container)), daemon=True).start()

    def _look(self, container: Container) -> str:
        """Run the health check to its end; return what is wrong, empty when it passed in time."""
        began = self._clock.monotonic()
        try:
            status, output = self._engine.execute(
                container.name, list(container.health_check), timeout_seconds=self._longest_seconds
            )
        except HostctlError as error:  # it has no such program, has ended, or takes too long
            return f"its health check failed: {error.message}"
        if self._clock.monotonic() - began > container.health_timeout_seconds:
            return f"its health check did not end within {container.health_timeout_seconds:g} seconds: {output}"
        return "" if status == 0 else f"its health check failed with status {status}: {output}"
