"""One connection for many calls, on a real sshd."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.adapters.forward import forwarded
from infra.adapters.ssh_sharing import shared
from infra.lab.wait import comes_true

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.hostctl.site import Site

pytestmark = [pytest.mark.lab]
SESSION = "^sshd.*: deploy@"
"""What sshd calls the process of a connection, in any of its versions."""
HOSTCTL = "^[^ ]*python3[^ ]* .*hostctl --deploy"
VERIFY_PORT = 18000
CALL_SECONDS = 30.0
OPEN_SECONDS = 10.0


def connections(site: Site) -> int:
    """Return how many connections the deploy user has open."""
    return len(site.machine.exec(["pgrep", "-f", SESSION], check=False).stdout.split())


def hostctls(site: Site) -> int:
    """Return how many hostctl processes of the deploy key run on the host."""
    return len(site.machine.exec(["pgrep", "-f", HOSTCTL], check=False).stdout.split())


def test_calls_and_tunnels_share_one_connection(site: Site, tmp_path: Path) -> None:
    """However many calls are made, the host sees one connection; it is gone with the context, and so is its socket."""
    folder = tmp_path / "s"
    with shared([site.client("deploy")], folder=folder) as (client,):
        assert comes_true(lambda: any(folder.iterdir()), within_seconds=OPEN_SECONDS), "no shared connection came about"
        with ThreadPoolExecutor() as pool:
            calls = [pool.submit(client.call, "status", timeout_seconds=CALL_SECONDS) for _ in range(3)]
            assert connections(site) == 1
        assert all(call.result()["event"] == "result" for call in calls)
        with forwarded(client, {"edge": VERIFY_PORT}) as ports:
            assert httpx.get(f"http://127.0.0.1:{ports['edge']}/").headers["x-request-id"]
            assert connections(site) == 1
    assert list(folder.iterdir()) == []


def test_the_next_context_goes_on_with_the_same_connection(site: Site, tmp_path: Path) -> None:
    """Nothing is opened or started for it, and it takes both away."""
    folder = tmp_path / "s"
    with shared([site.client("deploy")], folder=folder, lingers=True) as (client,):
        assert comes_true(lambda: any(folder.iterdir()), within_seconds=OPEN_SECONDS), "no shared connection came about"
        client.call("status", timeout_seconds=CALL_SECONDS)
        before = hostctls(site)
    assert connections(site) == 1
    with shared([site.client("deploy")], folder=folder) as (again,):
        assert again.call("status", timeout_seconds=CALL_SECONDS)["event"] == "result"
        assert (connections(site), hostctls(site)) == (1, before)
    assert list(folder.iterdir()) == []
    assert comes_true(lambda: connections(site) == 0, within_seconds=OPEN_SECONDS), "the connection was left behind"


def test_a_lingering_connection_that_was_cut_costs_no_call(site: Site, tmp_path: Path) -> None:
    """The next context opens another."""
    folder = tmp_path / "s"
    with shared([site.client("deploy")], folder=folder, lingers=True) as (client,):
        client.call("status", timeout_seconds=CALL_SECONDS)
    site.machine.exec(["pkill", "-f", SESSION])
    with shared([site.client("deploy")], folder=folder) as (again,):
        assert again.call("status", timeout_seconds=CALL_SECONDS)["event"] == "result"


def test_a_lost_connection_costs_no_call(site: Site, tmp_path: Path) -> None:
    """When the shared connection is cut, the next call opens one of its own."""
    folder = tmp_path / "s"
    with shared([site.client("deploy")], folder=folder) as (client,):
        assert comes_true(lambda: any(folder.iterdir()), within_seconds=OPEN_SECONDS), "no shared connection came about"
        assert connections(site) > 0
        site.machine.exec(["pkill", "-f", SESSION])
        assert client.call("hello", timeout_seconds=CALL_SECONDS)["user"]


def test_calls_are_answered_by_one_hostctl_that_stays(site: Site, tmp_path: Path) -> None:
    """One process answers all calls that follow each other, and is gone with the context."""
    with shared([site.client("deploy")], folder=tmp_path / "s") as (client,):
        assert comes_true(lambda: hostctls(site) == 1, within_seconds=OPEN_SECONDS), "nothing holds the connection"
        answers = [client.call("status", timeout_seconds=CALL_SECONDS) for _ in range(3)]
        assert hostctls(site) == 2
    assert all(answer["event"] == "result" for answer in answers)
    assert comes_true(lambda: hostctls(site) == 0, within_seconds=OPEN_SECONDS), "a hostctl was left behind"


def test_a_hostctl_that_died_while_it_waited_costs_no_call(site: Site, tmp_path: Path) -> None:
    """The next call is answered by another one."""
    with shared([site.client("deploy")], folder=tmp_path / "s") as (client,):
        client.call("status", timeout_seconds=CALL_SECONDS)
        site.machine.exec(["pkill", "-9", "-f", HOSTCTL])
        assert client.call("status", timeout_seconds=CALL_SECONDS)["event"] == "result"
