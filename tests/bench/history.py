"""Figures of a long history: a thousand updates listed, and verified with checkpoints of the size of real ones."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from infra.audit.events import build_events
from infra.audit.verification import verify
from tests.bench.figure import Figure
from tests.support.audit_world import STACK, AuditWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.stage import Stage

UPDATES = 1000
FAILED_EVERY = 10
CHECKPOINT_BYTES = 1_000_000
"""A stack with one host and a full record has about this much."""


def measure(stage: Stage | None = None) -> Iterator[Figure]:
    """Yield the seconds to list and to verify a thousand updates, one in ten of them failed."""
    del stage
    folder = Path(tempfile.mkdtemp(prefix="acp-history-"))
    try:
        world = _make(folder)
        began = time.monotonic()
        events = build_events(STACK, world.history, world.record, world.ask({}))
        listed = time.monotonic() - began
        assert sum(event.kind != "revert" for event in events) == UPDATES
        began = time.monotonic()
        found = verify(world.history, world.record, world.ask)
        verified = time.monotonic() - began
        assert not found.problems, [str(problem) for problem in found.problems]
        yield Figure(metric="history_list_seconds", value=listed, unit="s", n=UPDATES)
        yield Figure(metric="history_verify_seconds", value=verified, unit="s", n=UPDATES)
    finally:
        shutil.rmtree(folder)


def _make(folder: Path) -> AuditWorld:
    """Return a stack with a long history; the files are written to disk, and read back from wherever they are."""
    world = AuditWorld.make(folder, hosts=["h1"])
    world.spec = {"compose": "x" * 8_000}
    world.filler = "x" * CHECKPOINT_BYTES
    for number in range(UPDATES):
        if number % FAILED_EVERY == FAILED_EVERY - 1:
            world.fail()
        else:
            world.release(f"v{number}")
    os.sync()
    return world
