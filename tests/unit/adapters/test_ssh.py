from __future__ import annotations

import pytest

from infra.adapters.ssh import forward_argv, shared_forward_argv, ssh_argv, ssh_options
from infra.settings.model import Host
from tests.support.settings import HOST_KEY

KIND, KEY = HOST_KEY.split()
HOST = Host(name="h1", address="h1.test", port=2222, user="deploy", host_key=f"{HOST_KEY} a comment")
OPTIONS = [
    "-i", "/keys/deploy", "-F", "/dev/null",
    "-o", "IdentitiesOnly=yes",
    "-o", "BatchMode=yes",
    "-o", "StrictHostKeyChecking=yes",
    "-o", "UserKnownHostsFile=/dev/null",
    "-o", "GlobalKnownHostsFile=/dev/null",
    "-o", f"KnownHostsCommand=/bin/echo %H {KIND} {KEY}",
    "-o", f"HostKeyAlgorithms={KIND}",
    "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=5",
    "-o", "ServerAliveCountMax=3",
    "-o", "LogLevel=ERROR",
]  # fmt: skip


def test_a_command_line_pins_the_host_key_and_uses_one_key() -> None:
    """The exact arguments: the caller's own configuration, agent and known hosts play no part."""
    assert ssh_argv(HOST, "/keys/deploy", command="hostctl status") == [
        "ssh", *OPTIONS, "-p", "2222", "deploy@h1.test", "hostctl status",
    ]  # fmt: skip


def test_a_shared_connection_has_a_master_and_a_socket() -> None:
    """The master makes the socket that the others name; both pin the host's key all the same."""
    sharing = ["-o", "ControlPath=/run/50%%/h1"]
    rest = [*OPTIONS, *sharing, "-p", "2222", "deploy@h1.test"]
    path = "/run/50%/h1"
    assert ssh_argv(HOST, "/keys/deploy", control_path=path) == ["ssh", *rest]
    assert ssh_argv(HOST, "/keys/deploy", control_path=path, is_master=True) == ["ssh", "-M", *rest]
    forward = ["-L", "127.0.0.1:40001:127.0.0.1:18000"]
    assert shared_forward_argv(
        HOST, "/keys/deploy", forwards={40001: 18000}, control_path=path, ask="cancel"
    ) == ["ssh", "-O", "cancel", *forward, *rest]  # fmt: skip


def test_without_a_command_there_is_no_empty_argument() -> None:
    """A connection without a command ends with its destination."""
    assert ssh_argv(HOST, "/keys/deploy")[-1] == "deploy@h1.test"


def test_a_tunnel_binds_loopback_only() -> None:
    """Forwarded ports are open on 127.0.0.1, lead to the host's loopback, and a taken port fails the tunnel."""
    assert forward_argv(HOST, "/keys/deploy", forwards={40001: 18000, 40002: 18001}) == [
        "ssh", "-N", "-o", "ExitOnForwardFailure=yes",
        "-L", "127.0.0.1:40001:127.0.0.1:18000", "-L", "127.0.0.1:40002:127.0.0.1:18001",
        *OPTIONS, "-p", "2222", "deploy@h1.test",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("ssh-ed25519", "ssh-ed25519"),
        ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
        ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256"),
    ],
)
def test_a_host_must_show_the_kind_of_key_that_is_pinned(kind: str, algorithms: str) -> None:
    """Only the pinned kind is accepted; an RSA key is asked for with signatures that are still sound."""
    options = ssh_options(HOST.model_copy(update={"host_key": f"{kind} AAAA"}), "/keys/deploy")
    assert f"HostKeyAlgorithms={algorithms}" in options
    assert f"KnownHostsCommand=/bin/echo %H {kind} AAAA" in options
