"""The build machine's Docker engine: it has to answer; the toolchain knows how to start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.errors import ToolError
from infra.toolchain import places
from infra.toolchain.engine import Engine, answers
from infra.toolchain.errors import SetupError

if TYPE_CHECKING:
    from infra.toolchain.progress import Progress

__all__ = ["answers", "ensure_engine", "favour_containers"]


def ensure_engine(progress: Progress) -> None:
    """See to it that the Docker engine answers; raise `ToolError` with the mend when it cannot."""
    try:
        Engine(cache=places.find().cache).apply(progress)
    except SetupError as error:
        raise ToolError(error.what, mend=error.mend) from None


def favour_containers() -> None:
    """Let the lab's machines have their part of the processors beside those who release to them."""
    Engine(cache=places.find().cache).favour_containers()
