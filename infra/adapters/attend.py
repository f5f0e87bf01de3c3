"""A program that runs in our place: it has our terminal, and is told what we are told."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from infra.adapters.process import not_started
from infra.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ENDING = (signal.SIGINT, signal.SIGTERM)
STANDARD_ERROR = 2


def attend(argv: Sequence[str], *, timeout_seconds: float, env: Mapping[str, str], to_stderr: bool = False) -> int:
    """Run `argv` with our input and outputs, and return its exit status; with `to_stderr` all it says goes there.

    Who interrupts us means it: it is told so, and has the time to take back what it has done. Signals are a matter of
    the main thread, so this is called there.
    """
    output = STANDARD_ERROR if to_stderr else None
    try:
        process = subprocess.Popen(  # noqa: S603 - an argv list, never a shell
            list(argv), stdout=output, env=dict(env)
        )
    except OSError as error:
        raise not_started(argv[0], error) from None
    with _passing_on(process):
        try:
            return process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
            raise ToolError(f"{argv[0]} did not finish in {timeout_seconds:g} s") from None


@contextlib.contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass on what asks us to end while the block runs, instead of ending.

    Ctrl-C reaches every program in a terminal's foreground: to say it again would make `pulumi` end without a clean-up.
    """

    def pass_on(number: int, _frame: object) -> None:
        if number != signal.SIGINT or not _is_in_foreground():
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Return whether a terminal's Ctrl-C goes to us, and so to what we have started."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
