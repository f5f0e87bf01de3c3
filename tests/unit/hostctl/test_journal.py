from __future__ import annotations

import contextlib
import errno
import json
import os
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.hostctl.errors import HostctlError
from infra.hostctl.journal import Journal
from tests.unit.hostctl.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.clock import Clock


def journal(path: Path, **options: Any) -> Journal:
    """Return a journal with a fake clock."""
    return Journal(path, cast("Clock", FakeClock()), **options)


def test_a_step_is_on_disk_before_it_runs_and_after(tmp_path: Path) -> None:
    """Begin and end stand in the file with what the step is about."""
    path = tmp_path / "journal.jsonl"
    log = journal(path)
    log.context = {"fence": 7}
    with log.step("commit", "state", release="v1"):
        assert json.loads(path.read_text())["mark"] == "begin"
    entries = log.tail(10)
    assert [(entry["phase"], entry["step"], entry["mark"], entry["seq"]) for entry in entries] == [
        ("commit", "state", "begin", 1),
        ("commit", "state", "end", 2),
    ]
    assert entries[0]["fence"] == 7


def test_a_failed_step_is_journaled_as_failed(tmp_path: Path) -> None:
    """The reason's code is kept, the error goes on."""
    log = journal(tmp_path / "j")
    with pytest.raises(HostctlError), log.step("start", "up"):
        raise HostctlError("compose_failed", "no")
    assert log.tail(1)[0]["mark"] == "failed"
    assert log.tail(1)[0]["code"] == "compose_failed"


def test_a_torn_last_line_is_left_out_and_ended(tmp_path: Path) -> None:
    """A line that a crash cut is skipped, and the next entry starts a line of its own."""
    path = tmp_path / "j"
    journal(path).note("a", "b")
    with path.open("a") as stream:
        stream.write('{"seq": 2, "pha')
    log = journal(path)
    log.note("c", "d")
    assert [entry["seq"] for entry in log.tail(10)] == [1, 2]
    assert path.read_text().endswith("\n")


def test_a_full_disk_stops_a_step_before_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done that cannot be journaled; a revert goes on all the same."""
    log = journal(tmp_path / "j")

    def full(descriptor: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", full)
    ran = []
    with pytest.raises(HostctlError) as caught, log.step("start", "up"):
        ran.append("up")
    assert caught.value.code == "disk_full"
    assert ran == []
    log.lenient = True
    with log.step("revert", "traffic"):
        ran.append("revert")
    assert ran == ["revert"]


@pytest.mark.parametrize(("room", "whole"), [(20, False), (10_000, True)])
def test_a_disk_with_room_for_a_part_of_an_entry_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, room: int, whole: bool
) -> None:
    """Such a disk takes the part without an error; the step must not run on it, and no part stays."""
    path = tmp_path / "j"
    log = journal(path)
    log.note("a", "b")
    before = path.read_bytes()
    left = [room]
    write = os.write

    def short(descriptor: int, content: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = content[: min(left[0], 100)]
        left[0] -= len(part)
        return write(descriptor, part)

    monkeypatch.setattr("os.write", short)
    ran = []
    with contextlib.suppress(HostctlError), log.step("start", "up"):
        ran.append("up")
    assert bool(ran) is whole
    assert (path.read_bytes() == before) is not whole
    assert [entry["mark"] for entry in log.tail(10)] == (["note", "begin", "end"] if whole else ["note"])


def test_an_observer_sees_an_entry_that_is_on_disk(tmp_path: Path) -> None:
    """Whoever observes can kill the process and the entry is there."""
    path = tmp_path / "j"
    seen: list[int] = []
    journal(path, observer=lambda entry: seen.append(len(path.read_text().splitlines()))).note("a", "b")
    assert seen == [1]


def test_a_journal_that_grew_too_large_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not filled; the sequence goes on in the new file."""
    monkeypatch.setattr("infra.hostctl.journal.LARGEST_BYTES", 100)
    log = journal(tmp_path / "journal.jsonl")
    for _ in range(3):
        log.note("a", "a step with a name that fills the file", text="x" * 80)
    assert (tmp_path / "journal.1.jsonl").exists()
    assert [entry["seq"] for entry in journal(tmp_path / "journal.jsonl").tail(5)] == [3]
