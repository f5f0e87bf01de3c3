"""Running programs while nothing but the standard library is there: argv only, a deadline always."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from infra.toolchain.errors import SetupError
from infra.toolchain.lock import held

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TAIL_LINES = 15


def ask(argv: Sequence[str], *, timeout_seconds: float = 20) -> str | None:
    """Return what `argv` prints, or None when it is missing, fails or takes too long: a question, not a deed."""
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def do(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    mend: str = "",
) -> None:
    """Run `argv` with all it prints appended to `log`; raise `SetupError` with the end of that when it fails.

    The program shares the locks of this thread, so that they last as long as it works.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        start = sink.tell()
        try:
            done = subprocess.run(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                pass_fds=held(),
                timeout=timeout_seconds,
                check=False,
            )
        except OSError as error:
            raise SetupError(f"{argv[0]} cannot be started: {error.strerror}", mend=mend) from error
        except subprocess.TimeoutExpired as error:
            raise SetupError(f"{argv[0]} did not finish in {timeout_seconds:g} s (log: {log})", mend=mend) from error
    if done.returncode != 0:
        last = tail(log, start=start)
        raise SetupError(f"{' '.join(argv[:4])} … exited with status {done.returncode} (log: {log})\n{last}", mend=mend)


def tail(log: Path, *, start: int = 0, lines: int = TAIL_LINES) -> str:
    """Return the last lines of `log` behind byte `start`, indented for an error message."""
    with log.open("rb") as source:
        source.seek(start)
        text = source.read().decode(errors="replace")
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-lines:])
