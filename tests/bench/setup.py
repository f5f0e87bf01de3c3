"""Figures of set-up and of an update's own time: nothing to do, and a new version of one service."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from infra.adapters.process import run
from tests.bench.figure import Figure
from tests.support.world import CHECKOUT, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.stage import Stage

SETUP_SECONDS = 600.0
BUILT = re.compile(r"acp-agents-image updated \(([\d.]+)s\)")


def measure(stage: Stage) -> Iterator[Figure]:
    """Yield the seconds of `make up` with nothing to do, of an empty update, and of a changed service."""
    world = stage.world
    world.configure()
    first = world.up()
    assert first.good, first.tail()
    began = time.monotonic()
    run(["python3", "-m", "infra.toolchain", "up"], timeout_seconds=SETUP_SECONDS, cwd=CHECKOUT)
    world.lab_up()
    world.pulumi("stack", "select", "--create", STACK)
    empty = world.up(preview=True)
    world.command("status", "--stack", STACK, check=True)
    yield Figure(metric="second_make_up_seconds", value=time.monotonic() - began, unit="s", n=1)
    yield Figure(metric="empty_update_seconds", value=empty.seconds, unit="s", n=1)
    source = world.path / "compose" / "reference" / "acp_reference" / "ingest" / "__init__.py"
    source.write_text(f"{source.read_text(encoding='utf-8')}\nMARK = {time.time_ns()}\n", encoding="utf-8")
    world.commit("Change a line of the ingest app")
    changed = world.up(preview=True)
    assert changed.good, changed.tail()
    yield Figure(metric="new_version_seconds", value=changed.seconds, unit="s", n=1)
    built = BUILT.search(changed.output)
    yield Figure(metric="unchanged_image_seconds", value=float(built[1]) if built else 0.0, unit="s", n=1)
