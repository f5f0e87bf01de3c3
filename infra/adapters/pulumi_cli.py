"""The `pulumi` command: what a stack says of itself, and the ordinary update of one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from infra.adapters.attend import attend
from infra.adapters.backend import BACKEND_VARIABLE
from infra.adapters.backend_address import backend_place
from infra.adapters.checkpoint_read import until_whole
from infra.adapters.packed_history import with_history
from infra.adapters.process import run
from infra.errors import ToolError
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_SECONDS = 60
NO_OUTPUT = "does not have output property"
UNLOCKING = "export PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) of the stack"


class NoStackError(ToolError):
    """The backend has no stack of that name: it is another backend than the stack's, or the stack is new."""


def stack_names() -> list[str]:
    """Return the stacks of this project in the backend."""
    argv = ["pulumi", "stack", "ls", "--json", "--cwd", str(PROJECT_ROOT), "--non-interactive"]
    listed = json.loads(run(argv, timeout_seconds=TIMEOUT_SECONDS).stdout or "[]")
    return [str(stack["name"]).rpartition("/")[2] for stack in listed]


@until_whole
def stack_outputs(stack: str) -> dict[str, Any]:
    """Return the outputs of the last successful update, empty for a stack that has none yet.

    Raises `NoStackError` when the backend has no such stack, `ToolError` when it cannot be read.
    """
    done = run(
        ["pulumi", "stack", "output", "--json", "--stack", stack, "--cwd", str(PROJECT_ROOT), "--non-interactive"],
        timeout_seconds=TIMEOUT_SECONDS,
        check=False,
    )
    if done.exit_status != 0:
        if "no stack named" in done.stderr:
            raise NoStackError(
                f"the backend {backend_place(os.environ)} has no stack {stack}",
                mend=f"export {BACKEND_VARIABLE}, or for a new stack `pulumi stack init --stack {stack}`",
            )
        raise ToolError(f"pulumi cannot read stack {stack}: {done.stderr.strip()}", mend="`acp-release doctor`")
    return with_history(json.loads(done.stdout or "{}"))


def secret_output(stack: str, name: str) -> str:
    """Return one secret output of a stack in clear, empty where there is none. The caller must not show it.

    Raises `ToolError` when it cannot be read: without the stack's passphrase, for one.
    """
    argv = ["pulumi", "stack", "output", name, "--show-secrets", "--stack", stack, "--cwd", str(PROJECT_ROOT)]
    done = run([*argv, "--non-interactive"], timeout_seconds=TIMEOUT_SECONDS, check=False)
    if done.exit_status == 0:
        return done.stdout.strip()
    if NO_OUTPUT in done.stderr:
        return ""
    raise ToolError(f"pulumi cannot read {name} of stack {stack}: {done.stderr.strip()}", mend=UNLOCKING)


def update_stack(
    stack: str, *, env: Mapping[str, str], timeout_seconds: float, message: str | None = None, to_stderr: bool = False
) -> bool:
    """Run the ordinary update in our place, told `message` of its reason, and return whether it succeeded."""
    options = ["--yes", "--skip-preview", "--suppress-outputs", "--cwd", str(PROJECT_ROOT)]
    argv = ["pulumi", "up", "--stack", stack, *options, *(["--message", message] if message else [])]
    return attend(argv, timeout_seconds=timeout_seconds, env=env, to_stderr=to_stderr) == 0
