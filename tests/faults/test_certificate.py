from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.stage import Stage
from tests.support.traffic import AGENTS_PORT, loss, traffic
from tests.support.world import STACK, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.host_view import HostView

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

UNKNOWN_PAGE = "/no-such-page"
STRICT: dict[str, Any] = {"certificate": {"path": UNKNOWN_PAGE, "fail_on_loss": True}}
"""A page that the app does not have: its "not found" is an answer, and nobody else makes HAProxy count one."""
DROPS = 12
DROP_SECONDS = 30.0
NAT = "iptables -t nat"
CLOSED_PORT = 9
DIVERT = f"{NAT} -N ACPDROP && {NAT} -A ACPDROP -p tcp -j REDIRECT --to-ports {CLOSED_PORT}"
"""Sends new connections to a port where nobody listens: each is refused at once, and counted once."""
NEW_CONNECTIONS = f"PREROUTING -p tcp --dport {AGENTS_PORT} -j ACPDROP"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Return a stage with one host and a good release."""
    world = World.default()
    with world.claimed():
        world.environment.clear()
        world.prepare(hosts=1)
        world.environment["ACP_TEST_FAULT_POINTS"] = "1"
        stage = Stage(world)
        stage.mend()
        stage.make_good()
        yield stage
        stage.mend()


def not_found(view: HostView) -> int:
    """Return how many requests HAProxy says were answered with 4xx, over all services and releases."""
    services = view.call("counters")["services"]
    return sum(counts["http_4xx"] for releases in services.values() for counts in releases.values())


def newest_report(stage: Stage) -> dict[str, Any]:
    """Return the document of the release that was tried last."""
    folder = stage.world.path / "reports" / "releases" / STACK
    newest = max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    document: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
    return document


def refused_connections(view: HostView) -> int:
    """Return how many connections the host's own firewall refused."""
    return int(view.sh(f"{NAT} -nvxL ACPDROP").splitlines()[2].split()[0])


def test_the_certificate_counts_what_the_edge_counts(stage: Stage) -> None:
    """Under other traffic, HAProxy has counted exactly the requests that a release's certificate says were answered."""
    before = not_found(stage.view)
    with traffic(stage.view.host, rate=40) as prober:
        result = stage.release(STRICT)
    assert result.good, result.tail(30)
    certificate = newest_report(stage)["certificate"]
    assert certificate["sent"] == certificate["answered"] == not_found(stage.view) - before
    assert certificate["failed"] == certificate["own"] == 0
    assert len(certificate["by_release"]) == 2
    assert loss(prober.answers).lost == 0


def test_a_release_that_drops_requests_is_reverted_with_the_right_number(stage: Stage) -> None:
    """Connections that the host refuses during a trial are all in the certificate, and the release before serves."""
    serving = stage.view.serving
    update = stage.start(STRICT)
    with stage.held(update, "cutover/weights/end"):
        stage.view.sh(f"{DIVERT} && {NAT} -I {NEW_CONNECTIONS}")
        deadline = time.monotonic() + DROP_SECONDS
        while refused_connections(stage.view) < DROPS and time.monotonic() < deadline:
            time.sleep(0.2)
        stage.view.sh(f"{NAT} -D {NEW_CONNECTIONS}")
        dropped = refused_connections(stage.view)
        stage.view.sh(f"{NAT} -F ACPDROP && {NAT} -X ACPDROP")
    result = update.wait()
    assert not result.good
    assert f"{dropped} of " in result.output
    assert "requests of the certificate's probe were lost" in result.output
    report = newest_report(stage)
    assert (report["outcome"], report["certificate"]["failed"]) == ("reverted", dropped)
    assert dropped >= DROPS
    assert stage.at_rest() == []
    assert stage.view.serving == serving
