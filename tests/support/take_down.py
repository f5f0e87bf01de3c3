"""`python -m tests.support.take_down`: remove the scratch worlds that tests, faults and benchmarks left warm."""

from __future__ import annotations

from tests.support.world import MOST_WORLDS, World

if __name__ == "__main__":
    for world in World.several(MOST_WORLDS):
        world.destroy()
