from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from tests.faults.__main__ import main
from tests.faults.side_by_side import fitting_worlds


@pytest.mark.parametrize(("processors", "worlds"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 4)])
def test_a_lab_more_needs_processors_of_its_own(monkeypatch: pytest.MonkeyPatch, processors: int, worlds: int) -> None:
    """Two labs on two processors are slower than one after the other."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(processors)))
    assert fitting_worlds() == worlds


def test_the_help_says_what_is_chosen_without_a_number() -> None:
    """Who runs the matrix need not know the machine."""
    assert "as many as the processors are enough for" in " ".join(CliRunner().invoke(main, ["--help"]).output.split())
