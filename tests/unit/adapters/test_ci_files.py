from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.adapters.ci_files import add_summary, set_output
from infra.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_outputs_and_summaries_are_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What earlier commands of a job wrote stays."""
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / name))
    set_output("image_tag", "v1.4.2")
    set_output("plan_hash", "0f3a")
    add_summary("one")
    add_summary("two\n")
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "image_tag=v1.4.2\nplan_hash=0f3a\n"
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text() == "one\n\ntwo\n\n"


def test_by_hand_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a runner's files the same command works."""
    monkeypatch.chdir(tmp_path)
    set_output("image_tag", "v1.4.2")
    add_summary("one")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "value"), [("image_tag", "v1\nother=x"), ("image_tag", "v1\rx"), ("a=b", "v1")])
def test_an_output_cannot_forge_another(name: str, value: str) -> None:
    """A value of two lines, which would be two outputs, is refused."""
    with pytest.raises(UsageError, match="not one line"):
        set_output(name, value)
