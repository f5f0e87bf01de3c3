"""The runbook, walked through: every block is run in order, in the situation that its mark names.

`make test` leaves out the blocks marked `long`; `ACP_LONG_TESTS=1` runs them too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from infra.adapters.process import run
from infra.paths import PROJECT_ROOT
from tests.e2e.runbook_scenes import IN_NEW_FOLDER, ON_THE_HOST, SCENES, STAND_INS, key_folder
from tests.support.runbook import Block, read_blocks

if TYPE_CHECKING:
    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

IS_LONG = os.environ.get("ACP_LONG_TESTS") == "1"
BLOCK_SECONDS = 240.0
BLOCKS = read_blocks((PROJECT_ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("block", [block for block in BLOCKS if IS_LONG or not block.is_long], ids=lambda b: b.title)
def test_the_commands_of_the_runbook_do_what_it_says(world: World, first: FirstRelease, block: Block) -> None:
    """Each block ends as its mark says, one command after the other."""
    text = block.text
    for documented, here in STAND_INS.items():
        text = text.replace(documented, here)
    with SCENES[block.scene](world):
        if block.scene == ON_THE_HOST:
            done = world.machines[0].exec(["/bin/sh", "-ec", text], timeout_seconds=BLOCK_SECONDS, check=False)
        else:
            folder = key_folder(world) if block.scene == IN_NEW_FOLDER else world.path
            done = run(["bash", "-ec", text], timeout_seconds=BLOCK_SECONDS, env=world.env, cwd=folder, check=False)
    assert done.exit_status == block.exits, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
