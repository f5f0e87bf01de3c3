from __future__ import annotations

import itertools

import pytest

from infra.adapters import checkpoint_read
from infra.adapters.checkpoint_read import until_whole
from infra.errors import ToolError

HALF = ToolError("pulumi cannot read stack local: error: failed to load checkpoint: unexpected end of JSON input")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the attempts follow each other at once."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)


def test_half_a_checkpoint_is_read_again() -> None:
    """A reader beside a writer finds the whole one in a moment."""
    states = iter([HALF, HALF, "whole"])

    @until_whole
    def read() -> str:
        state = next(states)
        if isinstance(state, ToolError):
            raise state
        return state

    assert read() == "whole"


@pytest.mark.parametrize(
    ("error", "attempts"), [(HALF, checkpoint_read.ATTEMPTS), (ToolError("incorrect passphrase"), 1)]
)
def test_what_stays_wrong_is_said(error: ToolError, attempts: int) -> None:
    """A broken checkpoint after the last attempt, anything else at once."""
    asked = itertools.count()

    @until_whole
    def read() -> None:
        next(asked)
        raise error

    with pytest.raises(ToolError, match=str(error).partition(":")[0]):
        read()
    assert next(asked) == attempts
