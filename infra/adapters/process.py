"""The one way to run a program: argv only, a deadline always, secrets redacted."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

REDACTED = "[redacted]"
_DETACHED: list[subprocess.Popen[bytes]] = []
"""Programs that were started and left alone; kept so that one which has ended is reaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What a finished program left: its exit status and redacted output."""

    argv: tuple[str, ...]
    exit_status: int
    stdout: str
    stderr: str


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every non-empty secret replaced, the longest first."""
    for secret in sorted({s for s in secrets if s}, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    cwd: Path | None = None,
    redact_values: Iterable[str] = (),
    check: bool = True,
) -> Completed:
    """Run `argv` and return what it left; raise `ToolError` when it is missing, late or (with `check`) fails."""
    secrets = tuple(redact_values)
    try:
        done = subprocess.run(  # noqa: S603 - argv lists only, never a shell
            list(argv),
            input=stdin if stdin is not None else "",
            env=None if env is None else dict(env),
            cwd=cwd,
            timeout=timeout_seconds,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise _not_started(argv[0], error) from None
    except subprocess.TimeoutExpired:
        raise ToolError(
            f"{argv[0]} did not finish in {timeout_seconds:g} s", where=redact(" ".join(argv), secrets)
        ) from None
    completed = Completed(
        argv=tuple(argv),
        exit_status=done.returncode,
        stdout=redact(done.stdout, secrets),
        stderr=redact(done.stderr, secrets),
    )
    if check and completed.exit_status != 0:
        tail = (completed.stderr or completed.stdout).strip()[-2000:]
        raise ToolError(
            f"{argv[0]} exited with status {completed.exit_status}: {tail}", where=redact(" ".join(argv), secrets)
        )
    return completed


def stream(
    argv: Sequence[str], *, stdin: str, timeout_seconds: float, on_line: Callable[[str], None]
) -> tuple[int, str]:
    """Run `argv`, give each line of its output to `on_line` as it comes, and return exit status and standard error."""
    try:
        process = subprocess.Popen(  # noqa: S603 - argv lists only, never a shell
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise _not_started(argv[0], error) from None
    late = threading.Event()

    def give_up() -> None:
        late.set()
        process.kill()

    deadline = threading.Timer(timeout_seconds, give_up)
    errors: list[str] = []
    reader = threading.Thread(
        target=lambda: errors.append(process.stderr.read() if process.stderr else ""), daemon=True
    )
    with process:
        deadline.start()
        reader.start()
        try:
            _feed(process, stdin)
            for line in process.stdout or ():
                on_line(line.rstrip("\n"))
            status = process.wait()
        finally:
            deadline.cancel()
            if process.poll() is None:
                process.kill()
            reader.join(timeout=1)
    if late.is_set():
        raise ToolError(f"{argv[0]} did not finish in {timeout_seconds:g} s")
    return status, "".join(errors)


def detach(argv: Sequence[str], *, cwd: Path) -> None:
    """Start `argv` in a session of its own, silent, and do not wait: it may outlive this process."""
    for child in [child for child in _DETACHED if child.poll() is not None]:
        _DETACHED.remove(child)
    try:
        child = subprocess.Popen(  # noqa: S603 - argv lists only, never a shell
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise _not_started(argv[0], error) from None
    _DETACHED.append(child)


def _feed(process: subprocess.Popen[str], text: str) -> None:
    """Write `text` to the program's standard input; one that ended without reading it tells why by its status."""
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(text)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _not_started(program: str, error: OSError) -> ToolError:
    if isinstance(error, FileNotFoundError):
        return ToolError(f"{program} is not installed", mend="run `acp-release doctor`")
    return ToolError(f"{program} cannot be started: {error.strerror}", mend="run `acp-release doctor`")


def attend(argv: Sequence[str], *, timeout_seconds: float, env: Mapping[str, str], quiet: bool = False) -> int:
    """Run `argv` with its output going where ours goes (nowhere with `quiet`) and return its exit status."""
    try:
        done = subprocess.run(  # noqa: S603 - an argv list, never a shell
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else None,
            env=dict(env),
            timeout=timeout_seconds,
            check=False,
        )
    except OSError as error:
        raise _not_started(argv[0], error) from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"{argv[0]} did not finish in {timeout_seconds:g} s") from None
    return done.returncode
