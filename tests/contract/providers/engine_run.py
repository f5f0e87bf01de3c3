"""Runs of the real Pulumi engine on a scratch stack, and what they did."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi import automation

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

SIGNATURE = "4dabf18193072939515e22adb298388d"
FORK = multiprocessing.get_context("fork")
SECRET = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one run did, by the names of the resources."""

    succeeded: bool = True
    operations: dict[str, list[str]] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    shown: dict[str, list[str]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def take(self, event: automation.events.EngineEvent) -> None:
        """Note one of the engine's events."""
        if event.resource_pre_event is not None:
            metadata = event.resource_pre_event.metadata
            name, operation = metadata.urn.rpartition("::")[2], str(metadata.op.value)
            self.operations.setdefault(name, []).append(operation)
            self.order.append((name, operation))
        if event.diagnostic_event is not None:
            diagnostic = event.diagnostic_event
            name = (diagnostic.urn or "").rpartition("::")[2]
            if diagnostic.severity == "error":
                self.errors[name] = self.errors.get(name, "") + diagnostic.message
            elif diagnostic.severity == "warning":
                self.warnings[name] = self.warnings.get(name, "") + diagnostic.message
            else:
                self.shown.setdefault(name, []).append(diagnostic.message.strip("\n"))


class StackRun:
    """One stack with a backend of its own; every run takes the program it shall have."""

    def __init__(self, folder: Path, *, pulumi_home: Path, environment: dict[str, str] | None = None) -> None:
        """Make the stack in `folder`."""
        self.backend = folder / "backend"
        self.backend.mkdir(parents=True)
        self._stack = automation.create_stack(
            "contract",
            "providers",
            _nothing,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(folder),
                pulumi_home=str(pulumi_home),
                pulumi_command=automation.PulumiCommand(sys.prefix),
                env_vars={
                    "PULUMI_BACKEND_URL": f"file://{self.backend}",
                    "PULUMI_CONFIG_PASSPHRASE": "contract",
                    "PULUMI_SKIP_UPDATE_CHECK": "true",
                    **(environment or {}),
                },
            ),
        )

    def up(self, program: Callable[[], None], *, failing: bool = False) -> Outcome:
        """Update to `program`; with `failing`, what fails does not keep the rest from going on."""
        return self._run(self._stack.up, program=program, continue_on_error=failing)

    def up_interrupted(self, program: Callable[[], None], *, when_shown: str) -> Outcome:
        """Update to `program` and send the engine one SIGINT as soon as `when_shown` is shown beside a resource."""
        return self._run(self._stack.up, program=program, interrupt_when=when_shown)

    def preview(self, program: Callable[[], None]) -> Outcome:
        """Preview `program`."""
        return self._run(self._stack.preview, program=program)

    def refresh(self) -> Outcome:
        """Compare the state with the world."""
        return self._run(self._stack.refresh)

    def destroy(self) -> Outcome:
        """Remove everything."""
        return self._run(self._stack.destroy, continue_on_error=True)

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the state by the names of the resources, with secrets in clear."""
        deployment = self._stack.export_stack().deployment or {}
        resources = deployment["resources"]
        return {resource["urn"].rpartition("::")[2]: resource for resource in resources}

    def stored(self) -> str:
        """Return every file of the backend: state, backups and history."""
        files = [path for path in self.backend.rglob("*") if path.is_file()]
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)

    def _run(self, run: Callable[..., Any], **options: Any) -> Outcome:
        """Run one operation and note what it did.

        It runs in a forked process: the Automation API leaves event loops open, and Pulumi's settings are global.
        """
        ours, theirs = FORK.Pipe()
        process = FORK.Process(target=_run_and_send, args=(theirs, run, options))
        process.start()
        theirs.close()
        try:
            outcome: Outcome = ours.recv()
        finally:
            process.join()
            ours.close()
        return outcome


def _run_and_send(theirs: Connection, run: Callable[..., Any], options: dict[str, Any]) -> None:
    """Run one operation and send what it did."""
    outcome = Outcome()
    lines: list[str] = []
    interrupt_when = options.pop("interrupt_when", None)

    def take(event: automation.events.EngineEvent) -> None:
        nonlocal interrupt_when
        outcome.take(event)
        if interrupt_when is not None and any(interrupt_when in texts for texts in outcome.shown.values()):
            interrupt_when = None
            for pid in _children():
                os.kill(pid, signal.SIGINT)

    try:
        done = run(on_event=take, on_output=lines.append, **options)
        outputs = getattr(done, "outputs", None) or {}
        outcome.outputs = {name: output.value for name, output in outputs.items()}
    except automation.CommandError:
        outcome.succeeded = False
    outcome.text = "".join(f"{line}\n" for line in lines)
    theirs.send(outcome)


def _children() -> list[int]:
    """Return this process's children: the `pulumi` it runs."""
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def is_secret(value: Any) -> bool:
    """Say whether a value of the state is marked secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def _nothing() -> None:
    """Declare nothing."""
