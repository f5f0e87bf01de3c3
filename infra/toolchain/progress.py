"""Says what the set-up is doing and for how long: plain lines, and on a terminal one live line below them."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIVE_SECONDS = 1.0
PLAIN_SECONDS = 30.0


def duration(seconds: float) -> str:
    """Return a duration as people say it: `4 s`, `3 min 05 s`."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"  # noqa: PLR2004 - a minute


class Progress:
    """Prints the begin and the end of each piece of work, and while it lasts that it still does."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Print to `stream` (standard error by default); the time shown counts from now."""
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began = clock()
        self._running: dict[str, float] = {}
        self._guard = threading.RLock()
        self._closed = threading.Event()
        self._live = self._stream.isatty()
        self.worked = False

    def say(self, text: str) -> None:
        """Print one line with the time since the start."""
        with self._guard:
            self._clear()
            self._stream.write(f"[{duration(self._clock() - self._began):>12}] {text}\n")
            self._stream.flush()

    @contextmanager
    def work(self, name: str, doing: str) -> Iterator[None]:
        """Print that `name` is worked on (`doing`) and, when that ends, how long it took."""
        began = self._clock()
        self.worked = True
        self.say(f"{name}: {doing}")
        with self._guard:
            self._running[name] = began
        try:
            yield
        except BaseException:
            self._finish(name)
            self.say(f"{name}: failed after {duration(self._clock() - began)}")
            raise
        self._finish(name)
        self.say(f"{name}: done in {duration(self._clock() - began)}")

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Show all running work every second on a terminal, every half a minute elsewhere."""
        beat = threading.Thread(target=self._beat, daemon=True)
        beat.start()
        try:
            yield
        finally:
            self._closed.set()
            beat.join()
            with self._guard:
                self._clear()

    def status(self) -> str:
        """Return all running work with how long each lasts, or an empty text."""
        with self._guard:
            now = self._clock()
            return ", ".join(f"{name} ({duration(now - began)})" for name, began in self._running.items())

    def _finish(self, name: str) -> None:
        with self._guard:
            self._running.pop(name, None)

    def _beat(self) -> None:
        while not self._closed.wait(LIVE_SECONDS if self._live else PLAIN_SECONDS):
            status = self.status()
            if not status:
                continue
            if self._live:
                with self._guard:
                    self._stream.write(f"\r\033[Kworking: {status}")
                    self._stream.flush()
            else:
                self.say(f"still working: {status}")

    def _clear(self) -> None:
        if self._live:
            self._stream.write("\r\033[K")
