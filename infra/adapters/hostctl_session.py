"""Programs on a host that answer one request after another, so that a call does not wait for one to start."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from infra.adapters.process import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

END_SECONDS = 2.0


class Sessions:
    """The sessions of one host: each answers one call at a time, and there are as many as there were calls at once."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start none yet; `argv` starts one."""
        self._argv = tuple(argv)
        self._lock = threading.Lock()
        self._idle: list[Program] = []
        self._is_closed = False

    def ask(self, request: str, *, timeout_seconds: float, on_line: Callable[[str], bool]) -> tuple[int, str]:
        """Have a session answer `request`, a line; return a status and what was said on standard error, as `stream`.

        `on_line` gets each line of the answer and returns True for its last. The status is 0 once that came, else the
        one that the program ended with. A session that ended before it said that the request is taken, as when the
        connection was cut since its last call, is no answer: a new one is asked.
        """
        while True:
            waiting = self._take()
            program = waiting or Program(self._argv)
            answered, is_heard = self._ask(program, request, timeout_seconds, on_line)
            if answered:
                return 0, ""
            status, errors = program.end()
            if is_heard or waiting is None:
                return status, errors

    def close(self) -> None:
        """End all sessions that wait; one that is at work ends with its request."""
        with self._lock:
            self._is_closed = True
        while program := self._take():
            program.end(within_seconds=END_SECONDS)

    def _ask(
        self, program: Program, request: str, timeout_seconds: float, on_line: Callable[[str], bool]
    ) -> tuple[bool, bool]:
        """Return whether the request was answered, and whether the session said anything at all."""
        is_heard = False

        def hear(line: str) -> bool:
            nonlocal is_heard
            is_heard = True
            return on_line(line)

        try:
            program.say(f"{request}\n")
            answered = program.hear(hear, timeout_seconds=timeout_seconds)
        except BaseException:
            program.end()
            raise
        if answered:
            self._keep(program)
        return answered, is_heard

    def _keep(self, program: Program) -> None:
        """Let a session wait for the next request."""
        with self._lock:
            if not self._is_closed:
                self._idle.append(program)
                return
        program.end(within_seconds=END_SECONDS)

    def _take(self) -> Program | None:
        """Return a session that waits, None when there is none."""
        while True:
            with self._lock:
                program = self._idle.pop() if self._idle else None
            if program is None or program.is_running:
                return program
            program.end()
