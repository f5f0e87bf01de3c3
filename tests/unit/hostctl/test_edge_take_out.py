"""A candidate that the edge asks no more: how the host notices, and reverts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, cast

import pytest

from infra.hostctl.edge.container import HOLDER
from infra.hostctl.edge.control import Edge
from infra.hostctl.edge.files import EdgeFiles
from infra.hostctl.edge.stats import parse_failures
from infra.hostctl.supervise import act_if_due, due
from tests.unit.hostctl.fake_host import refused
from tests.unit.hostctl.fakes import FakeClock, FakeEngine
from tests.unit.hostctl.release_spec import V1, V2
from tests.unit.hostctl.test_edge_survey import INFORMATION, Speaker

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from infra.hostctl.engine import Engine
    from tests.unit.hostctl.fake_host import FakeHost

TABLES = """\
# table: acp-agents, type: string, size:10, used:0

# table: acp-ingest, type: string, size:10, used:1
0x7fadb7333e88: key=candidate use=0 exp=86399987 shard=0 gpc0=4

No such table

"""


def test_failures_are_read_by_service() -> None:
    """A table without an entry says nothing; nor do committed routes, which have no table."""
    assert parse_failures(TABLES) == {"acp-ingest": 4}
    assert parse_failures("No such table\n\n") == {}


def test_all_services_are_asked_for_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that serves answers; without a service there is nothing to ask."""
    monkeypatch.chdir(tmp_path)
    files = EdgeFiles(tmp_path)
    files.prepare(HOLDER)
    edge = Edge(files, cast("Engine", FakeEngine()), cast("Clock", FakeClock()))
    with contextlib.closing(Speaker(files.run(HOLDER) / "worker.sock")) as worker:
        worker.answers["show info"] = f"{INFORMATION.strip()}\nPid: 27\n\n"
        worker.answers["show table acp-agents; show table acp-ingest"] = TABLES
        assert edge.failures(["acp-agents", "acp-ingest"]) == {"acp-ingest": 4}
        assert edge.failures([]) == {}


@pytest.mark.parametrize(("lost", "is_taken_out"), [(4, False), (5, True), (6, True)])
def test_a_candidate_that_lost_too_many_requests_is_reverted(world: FakeHost, lost: int, is_taken_out: bool) -> None:
    """Its replicas are up, and answer all else well; the driver's next heartbeat is told."""
    world.release(V1)
    world.start(V2)
    world.call("shift", release=V2, weight=25)
    world.edge.lost["acp-agents"] = lost
    reason = f"the edge took acp-agents of {V2} out: it failed too often"
    assert due(world.host, world.host.state) == (reason if is_taken_out else None)
    act_if_due(world.host, wait_seconds=0)
    if is_taken_out:
        assert world.edge.serving() == {V1}
        assert reason in refused("trial_over", world, "renew", release=V2).message
    else:
        world.call("renew", release=V2)
