"""Running of a command line on the host, with a time limit and nothing secret in its arguments."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import HostctlError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEPT_ENVIRONMENT = ("PATH", "HOME", "USER", "LANG", "DOCKER_HOST", "XDG_RUNTIME_DIR", "TMPDIR")


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    status: int
    output: str
    errors: str


class Runner:
    """Runs commands."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float,
    ) -> Finished:
        """Run `argv` with `environment` beside a minimal one; raise when it is missing or takes too long."""
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**kept, **(environment or {})},
                start_new_session=True,
                text=True,
            )
        except OSError as error:
            raise HostctlError("unsupported_host", f"{argv[0]} cannot be run: {error}") from error
        try:
            output, errors = process.communicate(stdin, timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise HostctlError(
                "compose_failed", f"`{' '.join(argv[:2])} …` did not end within {timeout_seconds:g} seconds"
            ) from None
        return Finished(process.returncode, output, errors)
