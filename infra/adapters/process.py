"""The one way to run a program: argv only, a deadline always, secrets redacted."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from infra.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

REDACTED = "[redacted]"
PASSWORD = re.compile(r"://[^\s:@/]*:(\S+?)@(?=[^\s@/]*(?:[/?#\s]|$))")
"""The password in an address, as `infra/hostctl/redact.py` finds it on a host."""
SHORTEST_PART = 4
SHORTEST_LINE = 6
"""A shorter line of a secret is too likely to be an ordinary word."""
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
    """Return `text` with every non-empty secret, and every part of one that is secret, replaced, the longest first."""
    known = {form for secret in secrets for form in _forms(secret) if form}
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret, each line of it and each password in it, as they are and as they stand in JSON."""
    lines = (line for line in secret.splitlines() if len(line) >= SHORTEST_LINE)
    for part in (secret, *lines, *_passwords(secret)):
        yield part
        yield json.dumps(part)[1:-1]


def _passwords(secret: str) -> Iterator[str]:
    """Yield the passwords of the addresses in a secret as they are written, meant, and written by others.

    The address may be quoted under another scheme. A password that is too short to be replaced everywhere is replaced
    where it stands in an address.
    """
    for found in PASSWORD.findall(secret):
        meant = unquote(found)
        for password in {found, meant, quote(meant, safe="")}:
            yield password if len(password) >= SHORTEST_PART else f":{password}@"


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
        raise not_started(argv[0], error) from None
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


class Program:
    """A running program that is spoken to, and heard line by line; raises `ToolError` when it cannot be started."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start `argv`."""
        self._name = argv[0]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - argv lists only, never a shell
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise not_started(self._name, error) from None
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def say(self, text: str) -> None:
        """Write `text` to its standard input; one that ended without reading it tells why by its status."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(text)
                self._process.stdin.flush()

    def say_last(self, text: str) -> None:
        """Write `text` and end its standard input."""
        self.say(text)
        self._end_input()

    def hear(self, on_line: Callable[[str], bool | None], *, timeout_seconds: float) -> bool:
        """Give each line of its output to `on_line` until that returns True, and return whether it did.

        Without that the program has ended. One that takes longer than `timeout_seconds` is killed: `ToolError`.
        """
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        deadline = threading.Timer(timeout_seconds, give_up)
        deadline.start()
        try:
            for line in self._process.stdout or ():
                if on_line(line.rstrip("\n")):
                    return True
            self._process.wait()
        finally:
            deadline.cancel()
        if late.is_set():
            raise ToolError(f"{self._name} did not finish in {timeout_seconds:g} s")
        return False

    def end(self, *, within_seconds: float = 0.0) -> tuple[int, str]:
        """End its input, kill it unless it ends by itself, and return its exit status and standard error."""
        self._end_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=within_seconds)
        if self.is_running:
            self._process.kill()
        status = self._process.wait()
        self._reader.join(timeout=1)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status, "".join(self._errors)

    def _end_input(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _read_errors(self) -> None:
        """Read its standard error to the end; nobody else may close it.

        A shared SSH connection may hold the other end of it for as long as the remote command runs: whoever closed it
        meanwhile would wait for that.
        """
        if self._process.stderr is not None:
            with self._process.stderr as errors:
                self._errors.append(errors.read())


def stream(
    argv: Sequence[str], *, stdin: str, timeout_seconds: float, on_line: Callable[[str], object]
) -> tuple[int, str]:
    """Run `argv`, give each line of its output to `on_line` as it comes, and return exit status and standard error."""

    def pass_on(line: str) -> None:
        on_line(line)

    program = Program(argv)
    try:
        program.say_last(stdin)
        program.hear(pass_on, timeout_seconds=timeout_seconds)
    except BaseException:
        program.end()
        raise
    return program.end()


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
        raise not_started(argv[0], error) from None
    _DETACHED.append(child)


def not_started(program: str, error: OSError) -> ToolError:
    """Return why `program` could not be started."""
    if isinstance(error, FileNotFoundError):
        return ToolError(f"{program} is not installed", mend="run `acp-release doctor`")
    return ToolError(f"{program} cannot be started: {error.strerror}", mend="run `acp-release doctor`")
