from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest

from infra.audit import verification
from infra.audit.verification import Verified, verify_stack
from tests.support.audit_world import PROJECT, STACK, AuditWorld

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 2**22 - 1
"""A process id that no process has."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AuditWorld:
    """Return a stack with two releases, in the backend that the environment names."""
    world = AuditWorld.make(tmp_path)
    world.release("v1")
    world.release("v2")
    monkeypatch.setenv("PULUMI_BACKEND_URL", world.environ["PULUMI_BACKEND_URL"])
    monkeypatch.setattr(verification, "stack_outputs", lambda _stack: {"history": world.record})
    monkeypatch.setattr(verification, "ask_hosts", lambda _clients, positions: world.ask(positions))
    return world


def lock(world: AuditWorld, since: str, *, pid: int) -> None:
    """Lock the stack as Pulumi does."""
    folder = world.root / ".pulumi" / "locks" / "organization" / PROJECT / STACK
    folder.mkdir(parents=True)
    content = {"pid": pid, "username": "ann", "hostname": socket.gethostname(), "timestamp": since}
    (folder / "one.json").write_text(json.dumps(content), encoding="utf-8")


def removed(found: Verified) -> set[str]:
    """Return the releases that are said to be removed."""
    return {problem.entry for problem in found.problems if problem.finding == "removed"}


def test_what_an_update_under_way_committed_is_a_note(world: AuditWorld) -> None:
    """It is in no record before it ends: nobody removed it."""
    lock(world, world.clock.now(), pid=os.getpid())
    world.kill("v3-0", hosts=["h1", "h2"])
    found = verify_stack(STACK, [])
    assert found.problems == ()
    assert any(note.startswith(f"an update is under way (process {os.getpid()} of ann@") for note in found.notes)


def test_a_lock_whose_process_is_gone_excuses_nothing(world: AuditWorld) -> None:
    """An update that was killed behind its commit looks like a removed release."""
    lock(world, world.clock.now(), pid=NOBODY)
    world.kill("v3-0", hosts=["h1", "h2"])
    assert removed(verify_stack(STACK, [])) == {"v3-0"}


def test_a_lock_does_not_excuse_the_past(world: AuditWorld) -> None:
    """However long ago it says that it was taken: only the newest commit can be of a running update."""
    lock(world, "2020-01-01T00:00:00Z", pid=os.getpid())
    world.kill("v3-0", run_id="run-3", hosts=["h1", "h2"])
    world.kill("v4-0", run_id="run-4", hosts=["h1", "h2"])
    assert removed(verify_stack(STACK, [])) == {"v3-0"}
