"""Removing what may still be in use: tried until it works or the official plugin's time is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.docker.engine import NOT_FOUND, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.toolchain.plugins.docker.engine import Engine

TIMEOUT_SECONDS = 30
INTERVAL_SECONDS = 5


def wait_removed(
    removed: Callable[[], bool],
    *,
    in_use_state: str,
    pause: Callable[[float], bool],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Call `removed` every 5 s until it says so; after 30 s raise with the name of the state that lasted.

    `pause` waits that many seconds and says whether the engine has cancelled the update.
    """
    end = clock() + TIMEOUT_SECONDS
    while not removed():
        left = end - clock()
        if left <= 0:
            message = (
                f"timeout while waiting for state to become 'removed' (last state: '{in_use_state}', "
                f"timeout: {TIMEOUT_SECONDS}s)"
            )
            raise PluginError(message)
        if pause(min(INTERVAL_SECONDS, left)):
            message = "context canceled"
            raise PluginError(message)


def removed_from(engine: Engine, path: str, *, while_used: str) -> bool:
    """Remove the object at an API `path`; say False when the engine's refusal has the text `while_used`."""
    try:
        engine.request("DELETE", path)
    except EngineError as error:
        if while_used in error.message:
            return False
        if error.status != NOT_FOUND:
            raise
    return True
