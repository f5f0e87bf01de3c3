from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.adapters import forward
from infra.adapters.forward import forwarded
from infra.adapters.hostctl import HostctlClient
from infra.errors import HostUnreachableError
from infra.settings.model import Host
from tests.support.fake_programs import install_fake
from tests.support.settings import HOST_KEY

if TYPE_CHECKING:
    from pathlib import Path

HOST = Host(name="h1", address="h1.test", host_key=HOST_KEY)
CLIENT = HostctlClient(host=HOST, key_file="/keys/deploy")
SHARED = replace(CLIENT, control_path="/run/h1")


def test_a_tunnel_is_open_inside_its_context_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every named port has a local one that answers, until the context ends."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers(listen=True, hang=True, read_stdin=False)
    with forwarded(CLIENT, {"acp-ingest": 18000, "acp-agents": 18001}) as ports:
        assert sorted(ports) == ["acp-agents", "acp-ingest"]
        for port in ports.values():
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        assert f"127.0.0.1:{ports['acp-agents']}:127.0.0.1:18001" in ssh.calls[0]["argv"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports["acp-ingest"]), timeout=5)


def test_a_tunnel_goes_through_the_shared_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The master is asked to forward, and to end it when the context ends; no connection is made for it."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers()
    with forwarded(SHARED, {"acp-ingest": 18000}) as ports:
        assert len(ssh.calls) == 1
    asked = [call["argv"] for call in ssh.calls]
    assert [argv[argv.index("-O") + 1] for argv in asked] == ["forward", "cancel"]
    for argv in asked:
        assert f"127.0.0.1:{ports['acp-ingest']}:127.0.0.1:18000" in argv
        assert "ControlPath=/run/h1" in argv


def test_a_refused_tunnel_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When SSH ends, its reason and the setting of sshd that is needed are in the error."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers(stderr="administratively prohibited\n", status=255, read_stdin=False)
    with (
        pytest.raises(HostUnreachableError, match="administratively prohibited") as caught,
        forwarded(CLIENT, {"acp-ingest": 18000}),
    ):
        pass
    assert "AllowTcpForwarding" in caught.value.mend


def test_a_tunnel_that_does_not_open_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that stays silent ends at the deadline."""
    ssh = install_fake("ssh", tmp_path, monkeypatch)
    ssh.answers(hang=True, read_stdin=False)
    monkeypatch.setattr(forward, "OPEN_TIMEOUT_SECONDS", 0.2)
    with (
        pytest.raises(HostUnreachableError, match=r"no tunnel to the candidate in 0\.2 s"),
        forwarded(CLIENT, {"acp-ingest": 18000}),
    ):
        pass
