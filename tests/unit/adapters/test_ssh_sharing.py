from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import psutil
import pytest

from infra.adapters import ssh_sharing
from infra.adapters.hostctl import HostctlClient
from infra.adapters.ssh_sharing import end_lingering, shared, sockets_folder
from infra.errors import HostError
from infra.lab.wait import comes_true
from infra.settings.model import Host
from tests.support.fake_programs import FakeProgram, install_fake
from tests.support.settings import HOST_KEY

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = [
    HostctlClient(host=Host(name=name, address=f"{name}.test", host_key=HOST_KEY), key_file="/keys/deploy")
    for name in ("h1", "h2")
]


def test_each_host_has_a_connection_that_ends_with_the_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client names the socket of its own master, which is told by the end of its input that it is over."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers()
    folder = tmp_path / "s"
    with shared(CLIENTS, folder=folder) as clients:
        paths = [client.control_path for client in clients]
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert ssh.calls == []
    masters = sorted(call["argv"][-2:] for call in ssh.calls if "-M" in call["argv"])
    assert masters == [["deploy@h1.test", "hostctl --hold"], ["deploy@h2.test", "hostctl --hold"]]
    asked = " ".join(" ".join(call["argv"]) for call in ssh.calls)
    assert all(f"ControlPath={path}" in asked for path in paths)
    assert len(set(paths)) == 2


def masters(ssh: FakeProgram) -> int:
    """Return how many connections were opened."""
    return sum("-M" in call["argv"] for call in ssh.calls)


def test_the_next_context_goes_on_with_what_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened once, and gone with the context that does not leave it."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers()
    folder = tmp_path / "s"
    with shared(CLIENTS, folder=folder, lingers=True) as first:
        pass
    with shared(CLIENTS[1:], folder=folder) as (again,):
        assert again.control_path == first[1].control_path
        assert again.sessions is first[1].sessions
    with shared(CLIENTS[1:], folder=folder) as (another,):
        assert another.control_path != again.control_path
    end_lingering()
    assert masters(ssh) == 3


def test_a_context_that_failed_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection may be why."""
    install_fake("ssh", tmp_path, monkeypatch).answers()
    with pytest.raises(HostError), shared(CLIENTS, folder=tmp_path / "s", lingers=True) as first:
        raise HostError("no")
    with shared(CLIENTS, folder=tmp_path / "s") as second:
        assert first[0].control_path != second[0].control_path


def test_a_connection_that_ended_meanwhile_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left with a host that he cannot reach."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers(status=255, read_stdin=False)
    before = set(psutil.Process().children())
    with shared(CLIENTS[:1], folder=tmp_path / "s", lingers=True) as first:
        (master,) = set(psutil.Process().children()) - before
    assert comes_true(lambda: master.status() == psutil.STATUS_ZOMBIE, within_seconds=10)
    with shared(CLIENTS[:1], folder=tmp_path / "s") as second:
        assert first[0].control_path != second[0].control_path


def test_a_master_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that hangs does not hold up the end of a rollout."""
    monkeypatch.setattr(ssh_sharing, "END_SECONDS", 0.1)
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers(hang=True)
    with shared(CLIENTS[:1], folder=tmp_path / "s"):
        pass


def test_the_socket_of_a_killed_master_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing piles up: what nobody listens on goes, what is in use stays."""
    install_fake("ssh", tmp_path, monkeypatch).answers()
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "dead"))
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(folder / "alive"))
        alive.listen()
        with shared(CLIENTS[:1], folder=folder):
            pass
    assert [path.name for path in folder.iterdir()] == ["alive"]


def test_a_folder_that_others_may_enter_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever could put a socket there could listen; then every call has a connection of its own."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers()
    folder, link = tmp_path / "open", tmp_path / "link"
    folder.mkdir(mode=0o755)
    link.symlink_to(tmp_path)
    for place in (folder, link, tmp_path / "fake-ssh" / "ssh"):
        with shared(CLIENTS, folder=place) as clients:
            assert clients == CLIENTS
    assert ssh.calls == []


def test_the_sockets_are_not_in_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are where the system keeps what does not outlive a session, or with other temporary files."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert sockets_folder() == tmp_path / f"acp-ssh-{os.getuid()}"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(ssh_sharing.tempfile, "gettempdir", lambda: "/t")
    assert str(sockets_folder()) == f"/t/acp-ssh-{os.getuid()}"


def test_a_path_that_is_too_long_for_a_socket_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a deep folder every call has a connection of its own, as before."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers()
    with shared(CLIENTS, folder=tmp_path / ("deep" * 25)) as clients:
        assert clients == CLIENTS
    assert ssh.calls == []
