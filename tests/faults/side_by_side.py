"""Rows side by side: a process for each world, and each takes the next row when it is done with one."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from tests.faults.matrix import all_rows
from tests.faults.runner import run_chain
from tests.faults.stage import Stage
from tests.support.world import MOST_WORLDS, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing import Queue

    from tests.faults.row import Result

PROCESSORS_OF_A_WORLD = 2
"""What deployer, host and traffic of one lab keep busy: a lab more would only make all of them slower."""


def fitting_worlds() -> int:
    """Return how many labs this machine has processors for, at least one."""
    usable = len(os.sched_getaffinity(0))
    return max(1, min(MOST_WORLDS, usable // PROCESSORS_OF_A_WORLD))


class _Place:
    """The world of this process, claimed until the process ends, with as many hosts as the last row needed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._claim = ExitStack()
        self._claim.enter_context(world.claimed())
        self._hosts = 0
        self._stage: Stage | None = None

    def stage(self, hosts: int) -> Stage:
        """Return the stage with `hosts` hosts."""
        if self._stage is None or hosts != self._hosts:
            self._stage = Stage.prepared(self._world, hosts=hosts)
            self._hosts = hosts
        return self._stage


_places: list[_Place] = []


@contextmanager
def open_stages(count: int) -> Iterator[Callable[[Iterable[Sequence[str]]], Iterator[Result]]]:
    """Give what runs chains of rows by name in `count` worlds and yields their results in the rows' order."""
    worlds = World.several(count)
    context = multiprocessing.get_context("spawn")
    waiting: Queue[World] = context.Queue()
    for world in worlds:
        waiting.put(world)
    with ProcessPoolExecutor(count, mp_context=context, initializer=_take_place, initargs=(waiting,)) as pool:
        yield lambda chains: chain.from_iterable(pool.map(_run, chains))


def _take_place(waiting: Queue[World]) -> None:
    _places.append(_Place(waiting.get(timeout=60)))


def _run(names: Sequence[str]) -> list[Result]:
    by_name = {row.name: row for row in all_rows()}
    rows = [by_name[name] for name in names]
    return run_chain(_places[0].stage(rows[0].hosts), rows)
