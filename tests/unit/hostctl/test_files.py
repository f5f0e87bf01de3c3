from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, cast

import pytest

from infra.hostctl import leftovers, reserve
from infra.hostctl.errors import HostctlError
from infra.hostctl.files import link_atomic, read_json, write_atomic, write_json
from infra.hostctl.lock import is_free, locked
from infra.hostctl.paths import Paths, installed_base
from infra.hostctl.state import Retiring, State, StateStore, Trial
from tests.unit.hostctl.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.clock import Clock


def test_a_write_replaces_the_whole_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    """The file has the new content and mode, and no temporary file stays."""
    path = tmp_path / "a" / "state.json"
    write_json(path, {"x": 1})
    write_json(path, {"x": 2})
    assert read_json(path) == {"x": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is said as such, and the old content stays."""
    path = tmp_path / "state.json"
    write_atomic(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HostctlError) as caught:
        write_atomic(path, "new")
    assert caught.value.code == "disk_full"
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_file_that_is_no_json_is_said_with_its_path(tmp_path: Path) -> None:
    """A broken file is named; an absent one is no file."""
    path = tmp_path / "state.json"
    assert read_json(path) is None
    path.write_text("{")
    with pytest.raises(HostctlError, match=r"state\.json cannot be read"):
        read_json(path)


def test_a_link_is_switched_in_one_step(tmp_path: Path) -> None:
    """A link that exists is replaced."""
    link = tmp_path / "bin" / "hostctl"
    link_atomic(link, "../a")
    link_atomic(link, "../b")
    assert str(link.readlink()) == "../b"


def test_a_lock_keeps_others_out_until_the_block_ends(tmp_path: Path) -> None:
    """A second call is told that one is running once its patience is over."""
    path, clock = tmp_path / "lock", cast("Clock", FakeClock())
    with locked(path, clock, wait_seconds=1):
        assert not is_free(path)
        with pytest.raises(HostctlError) as caught, locked(path, clock, wait_seconds=1):
            pass
        assert caught.value.code == "busy"
    assert is_free(path)


def test_the_state_comes_back_as_it_was(tmp_path: Path) -> None:
    """Saving and loading loses nothing."""
    store = StateStore(tmp_path / "state.json")
    assert store.load() == State()
    state = State(
        current="a", previous="b", parked=("c",), pinned=("c",), last_trial={"release": "a"},
        trial=Trial(release="d", phase="shift", weight=3, was_parked=True, deadline=1.5, boot_id="x",
                    confirm_timeout_seconds=9, started_at="now", reason="r"),
        retiring=Retiring(release="b", since=1.0, boot_id="x"),
    )  # fmt: skip
    store.save(state)
    assert store.load() == state
    assert state.known == {"a", "b", "c", "d"}


def test_leftovers_of_dead_calls_are_swept(tmp_path: Path) -> None:
    """Temporary files go; the lease's own, which a heartbeat may be writing, only once they are old."""
    paths = Paths(tmp_path)
    for name in (".state.json.abc", "state.json", ".lease.json.new", ".lease.json.old", ".reserve"):
        (tmp_path / name).write_text("")
    os.utime(tmp_path / ".lease.json.old", (1, 1))
    leftovers.sweep(paths)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lease.json.new", "state.json"]


def test_the_reserve_takes_real_room_and_gives_it_back(tmp_path: Path) -> None:
    """The reserve is allocated on the disk, not a hole in a file."""
    path = tmp_path / "reserve"
    reserve.keep(path)
    assert path.stat().st_blocks * 512 >= reserve.RESERVE_BYTES
    reserve.use(path)
    reserve.use(path)
    assert not path.exists()


def test_the_base_is_where_hostctl_is_installed(tmp_path: Path) -> None:
    """An installed hostctl finds its folder through the link; one that lies elsewhere has none."""
    target = tmp_path / "acp" / "hostctl" / "1" / "hostctl.pyz"
    target.parent.mkdir(parents=True)
    target.write_text("")
    link_atomic(tmp_path / "acp" / "bin" / "hostctl", "../hostctl/1/hostctl.pyz")
    assert installed_base(str(tmp_path / "acp" / "bin" / "hostctl")) == tmp_path / "acp"
    (tmp_path / "hostctl.pyz").write_text("")
    assert installed_base(str(tmp_path / "hostctl.pyz")) is None
