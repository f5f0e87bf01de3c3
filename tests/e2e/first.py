"""The first release of a stack, watched while it is made."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.adapters.packed_history import with_history

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.world import UpResult, World

LOOK_SECONDS = 0.02
TWO_AGENTS: dict[str, Any] = {"services": {"acp-agents": {"replicas": 2}}}
"""One service has two replicas, so that a release is more than one container of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRelease:
    """How the first update went, what the stack says of it, and which planted secrets stood in an argument list."""

    result: UpResult
    outputs: Mapping[str, Any]
    exposed: frozenset[str]

    @property
    def release(self) -> str:
        """Return the release's id."""
        return str(self.outputs["release"])


def first_release(world: World, planted: Mapping[str, str]) -> FirstRelease:
    """Make the first release; raise `AssertionError` with its last lines when it fails."""
    world.configure(TWO_AGENTS)
    with arguments_watched(planted) as exposed:
        result = world.up(preview=True)
    assert result.good, result.tail(40)
    return FirstRelease(result=result, outputs=stack_outputs(world), exposed=frozenset(exposed))


def stack_outputs(world: World) -> dict[str, Any]:
    """Return the outputs of the stack."""
    return with_history(world.ask_pulumi("stack", "output", "--json", "--stack", "local"))


def check(world: World, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return exit status and document of `acp-release check`."""
    result = world.command("check", "--stack", "local", "--json", *arguments)
    document: dict[str, Any] = json.loads(result.output)
    return result.exit_status, document


@contextlib.contextmanager
def arguments_watched(planted: Mapping[str, str]) -> Iterator[set[str]]:
    """Yield a set that gets the name of every planted value seen in any process's arguments while the block runs."""
    exposed: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    content = path.read_bytes()
                    exposed.update(name for name, value in planted.items() if value.encode() in content)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield exposed
    finally:
        over.set()
        watcher.join()
