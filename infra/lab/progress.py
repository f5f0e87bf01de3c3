"""What a person sees while the lab works: a live line on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

WORTH_TELLING_SECONDS = 2.0


class Progress:
    """Announces steps and how long they took; steps may nest, the innermost is shown."""

    def __init__(self, console: Console | None = None) -> None:
        """Write to `console`, by default stderr."""
        self._console = console or Console(stderr=True, highlight=False)

    def note(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show `text` while the block runs, and its time when it took longer than two seconds."""
        started = time.monotonic()
        if self._console.is_terminal:
            with self._console.status(text):
                yield
        else:
            self.note(f"{text} ...")
            yield
        taken = time.monotonic() - started
        if taken > WORTH_TELLING_SECONDS:
            self.note(f"{text}: done in {taken:.0f} s")
