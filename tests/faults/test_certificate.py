from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from infra.adapters.background import start_module
from infra.checks.probe_files import Plan, ProbeFiles
from infra.checks.routes import route_requests
from tests.faults.stage import Stage
from tests.support.traffic import AGENTS_PORT, loss, traffic
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.settings import Settings
    from tests.support.host_view import HostView

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

UNKNOWN_PAGE = "/no-such-page"
STRICT: dict[str, Any] = {"certificate": {"path": UNKNOWN_PAGE, "fail_on_loss": True}}
"""A page that the app does not have: its "not found" is an answer, and nobody else makes HAProxy count one."""
SEARCHES: dict[str, Any] = {"rate": 10, "max_p95_ms": {"search": 5_000}}
UNDER_LOAD: dict[str, Any] = {
    "load": {
        "after_release": "steady",
        "profiles": {"steady": {"duration_seconds": 10, "scenarios": {"search": SEARCHES}}},
    }
}
PROBED = 100
PROBE_SECONDS = 30.0
RELOADS = 3
UNREAD_SECONDS = 0.5
"""What a worker of the edge answers in its last half second is not read any more: infra/hostctl/README.md."""
DROPS = 12
DROP_SECONDS = 30.0
NAT = "iptables -t nat"
CLOSED_PORT = 9
DIVERT = f"{NAT} -N ACPDROP && {NAT} -A ACPDROP -p tcp -j REDIRECT --to-ports {CLOSED_PORT}"
"""Sends new connections to a port where nobody listens: each is refused at once, and counted once."""
FROM_OUTSIDE = f"PREROUTING -p tcp --dport {AGENTS_PORT} -m addrtype --dst-type LOCAL -j ACPDROP"
"""What comes to the host's own address; the edge goes on to reach the containers."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Return a stage with one host and a good release."""
    world = World.second()
    with world.claimed():
        world.environment.clear()
        stage = Stage.prepared(world)
        stage.make_good()
        yield stage
        stage.mend()


def not_found(view: HostView) -> Counter[tuple[str, str]]:
    """Return how many requests HAProxy says were answered with 4xx, by service and release."""
    services = view.call("counters")["services"]
    return Counter(
        {
            (service, release): counts["http_4xx"]
            for service, releases in services.items()
            for release, counts in releases.items()
        }
    )


def not_found_since(view: HostView, before: Counter[tuple[str, str]]) -> int:
    """Return how many came since; a release that was forgotten meanwhile was asked nothing."""
    return (not_found(view) - before).total()


def refused_connections(view: HostView) -> int:
    """Return how many connections the host's own firewall refused."""
    return int(view.sh(f"{NAT} -nvxL ACPDROP").splitlines()[2].split()[0])


def test_the_probe_counts_what_the_edge_counts(stage: Stage, tmp_path: Path) -> None:
    """While nothing is reloaded, HAProxy has counted exactly the requests that the certificate says were answered."""
    stage.world.configure({"certificate": {"path": UNKNOWN_PAGE}})
    before = not_found(stage.view)
    with traffic(stage.view.host, rate=40):
        certificate = probed(stage.world.settings, ProbeFiles(folder=tmp_path / "probe"))
    assert certificate["sent"] == certificate["answered"] == not_found_since(stage.view, before)
    assert certificate["sent"] >= PROBED


def probed(settings: Settings, files: ProbeFiles) -> dict[str, Any]:
    """Let a probe of its own ask every route for a while and return its certificate."""
    own = psutil.Process()
    files.write_plan(
        Plan(
            requests=route_requests(settings), rate=40, slow_ms=1000, max_seconds=60, engine_pid=own.pid,
            engine_created=own.create_time(), document={},
        )
    )  # fmt: skip
    probe = start_module("infra.checks.probe", str(files.folder))
    deadline = time.monotonic() + PROBE_SECONDS
    while ((state := files.read_state()) is None or state.answered < PROBED) and time.monotonic() < deadline:
        time.sleep(0.05)
    probe.terminate()
    assert probe.wait(timeout=PROBE_SECONDS) == 0
    return files.read_result() or {}


def test_the_certificate_of_a_release_under_load_counts_what_the_edge_counts(stage: Stage) -> None:
    """Over a release under k6 HAProxy has counted the same, but for what a worker answered right before it ended."""
    before = not_found(stage.view)
    with traffic(stage.view.host, rate=40) as prober:
        result = stage.release(STRICT, UNDER_LOAD)
    assert result.good, result.tail(30)
    report = json.loads(stage.world.newest_report("json"))
    certificate = report["certificate"]
    assert report["load"][0]["passed"]
    assert certificate["sent"] == certificate["answered"]
    uncounted = certificate["sent"] - not_found_since(stage.view, before)
    assert 0 <= uncounted <= RELOADS * UNREAD_SECONDS * certificate["rate"]
    assert certificate["failed"] == certificate["own"] == 0
    assert len(certificate["by_release"]) == 2
    assert loss(prober.answers).lost == 0


def test_a_release_that_drops_requests_is_reverted_with_the_right_number(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    """Connections that the host refuses during a trial are all in the certificate, and the release before serves."""
    serving = stage.view.serving
    update = stage.start(STRICT)
    request.addfinalizer(lambda: update.running and update.kill())
    with stage.held(update, "cutover/weights/end"):
        stage.view.sh(f"{DIVERT} && {NAT} -I {FROM_OUTSIDE}")
        deadline = time.monotonic() + DROP_SECONDS
        while refused_connections(stage.view) < DROPS and time.monotonic() < deadline:
            time.sleep(0.2)
        stage.view.sh(f"{NAT} -D {FROM_OUTSIDE}")
        dropped = refused_connections(stage.view)
        stage.view.sh(f"{NAT} -F ACPDROP && {NAT} -X ACPDROP")
    result = update.wait()
    assert not result.good, result.tail(30)
    assert f"{dropped} of " in result.output
    assert "requests of the certificate's probe were lost" in result.output
    report = json.loads(stage.world.newest_report("json"))
    assert (report["outcome"], report["certificate"]["failed"]) == ("reverted", dropped)
    assert dropped >= DROPS
    assert stage.at_rest() == []
    assert stage.view.serving == serving
