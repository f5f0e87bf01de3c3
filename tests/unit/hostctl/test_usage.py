from __future__ import annotations

from typing import TYPE_CHECKING

from infra.hostctl.usage import oom_kills, open_connections

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTENING = (
    "   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
)
OPEN = (
    "   1: 0100007F:1F40 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1\n"
)
PID = 42


def network(root: Path, name: str, text: str) -> None:
    """Write one of the kernel's tables of connections."""
    folder = root / str(PID) / "net"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(HEAD + text, encoding="ascii")


def group(root: Path, text: str) -> None:
    """Write which control groups the process is in."""
    (root / str(PID)).mkdir(parents=True, exist_ok=True)
    (root / str(PID) / "cgroup").write_text(text, encoding="ascii")


def test_open_connections_are_those_established(tmp_path: Path) -> None:
    """Listening sockets do not count; both address families do."""
    network(tmp_path, "tcp", LISTENING + OPEN)
    network(tmp_path, "tcp6", OPEN + OPEN)
    assert open_connections(PID, tmp_path) == 3


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    """A hidden or ended process has no figure, not zero."""
    assert open_connections(PID, tmp_path) is None
    assert oom_kills(PID, tmp_path, tmp_path) is None
    group(tmp_path, "0::/docker/x\n")
    assert oom_kills(PID, tmp_path, tmp_path) is None


def test_kills_are_read_with_control_groups_of_version_2(tmp_path: Path) -> None:
    """The unified hierarchy has them in memory.events."""
    group(tmp_path, "0::/docker/x\n")
    (tmp_path / "docker" / "x").mkdir(parents=True)
    (tmp_path / "docker" / "x" / "memory.events").write_text("low 0\noom 3\noom_kill 2\n", encoding="ascii")
    assert oom_kills(PID, tmp_path, tmp_path) == 2


def test_kills_are_read_with_control_groups_of_version_1(tmp_path: Path) -> None:
    """The memory controller has them in memory.oom_control, whatever controllers stand beside it."""
    group(tmp_path, "11:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/docker/x\n")
    folder = tmp_path / "memory" / "docker" / "x"
    folder.mkdir(parents=True)
    (folder / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", encoding="ascii")
    assert oom_kills(PID, tmp_path, tmp_path) == 1
