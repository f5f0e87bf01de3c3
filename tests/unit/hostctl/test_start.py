"""What a start needs, refuses, and undoes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.hostctl.errors import HostctlError
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import SECRET, V1, V2, V3, spec


def test_secrets_reach_only_compose(world: FakeHost) -> None:
    """A secret value is in no file of hostctl, in no progress line and no result."""
    answers = [world.start(V1), world.call("status"), world.call("logs", release=V1)]
    assert world.compose.calls[0][2] == {"DATABASE_URL": SECRET}
    written = "".join(
        path.read_text(errors="replace") for path in world.folder.rglob("*") if path.suffix in {".json", ".jsonl"}
    )
    assert SECRET not in written
    assert SECRET not in "".join(world.progress)
    assert SECRET not in json.dumps(answers[:2])


def test_a_secret_that_the_release_needs_must_be_given(world: FakeHost) -> None:
    """Missing secrets are named before anything is done."""
    with pytest.raises(HostctlError, match=r"secrets\.DATABASE_URL: is required"):
        world.start(V1, secrets={})
    assert not world.host.paths.journal.exists()


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"state": "exited", "exit_code": 3}, "crash_loop"),
        ({"state": "exited", "exit_code": 137, "is_oom_killed": True}, "out_of_memory"),
        ({"exit_code": 9}, "candidate_not_ready"),
        ({"addresses": {}}, "candidate_not_ready"),
    ],
)
def test_a_candidate_that_does_not_get_ready_goes_away(world: FakeHost, broken: dict[str, Any], code: str) -> None:
    """The reason and its last log lines are told, the candidate is removed, the running release is untouched."""
    world.release(V1)
    world.compose.broken = {"ingest": broken}
    with pytest.raises(HostctlError) as caught:
        world.start(V2)
    assert caught.value.code == code
    assert caught.value.details["logs"]
    assert world.edge.serving() == {V1}
    assert {c.project for c in world.engine.all.values()} == {"acp-v1-0-0-a"}
    assert not world.host.paths.release(V2).exists()
    error = refused("trial_over", world, "cutover", release=V2)
    assert code in error.details["reason"]


def test_a_half_started_candidate_is_removed(world: FakeHost) -> None:
    """Where compose fails halfway, what it made goes away."""
    world.release(V1)
    world.compose.problem = HostctlError("compose_failed", "no")
    with pytest.raises(HostctlError, match="no"):
        world.start(V2)
    assert {c.project for c in world.engine.all.values()} == {"acp-v1-0-0-a"}
    world.compose.problem = None
    world.release(V2)


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda world: world.engine.networks.clear(), "network_missing"),
        (lambda world: setattr(world.edge, "running", False), "edge_missing"),
        (lambda world: setattr(world.engine, "architecture", "arm64"), "wrong_architecture"),
        (lambda world: world.engine.refuse_pulls("unauthorized"), "image_pull_denied"),
    ],
)
def test_a_host_that_lacks_something_is_told_before_anything_starts(world: FakeHost, prepare: Any, code: str) -> None:
    """Nothing is made and no trial begun when the host cannot take the release."""
    prepare(world)
    with pytest.raises(HostctlError) as caught:
        world.start(V1)
    assert caught.value.code == code
    assert world.engine.all == {}
    assert world.host.state.trial is None


def test_a_release_that_does_not_fit_is_refused_with_figures(world: FakeHost) -> None:
    """Memory and disk are compared before anything starts."""
    huge = spec(V1)
    huge["services"][0]["memory_bytes"] = 2**60
    error = refused("insufficient_memory", world, "start", spec=huge, secrets={"DATABASE_URL": SECRET})
    assert "GiB" in error.message
    world.engine.images.clear()
    with pytest.raises(HostctlError) as caught:
        world.start(V1, needed={"disk_bytes": 2**60})
    assert caught.value.code == "insufficient_disk"
    answer = world.call("preflight", spec=huge)
    assert not answer["ok"]
    assert [check["name"] for check in answer["checks"] if not check["ok"]] == ["memory"]


def test_a_port_that_the_edge_lacks_is_named(world: FakeHost) -> None:
    """A release cannot be routed through a port that is not published."""
    other = spec(V1)
    other["services"][0]["routes"]["public_port"] = 9000
    error = refused("port_not_published", world, "start", spec=other, secrets={"DATABASE_URL": SECRET})
    assert "9000" in error.message


def test_another_release_ends_a_trial_that_somebody_left(world: FakeHost) -> None:
    """A new deployer does not wait for a dead one's deadline."""
    world.release(V1)
    world.start(V2)
    world.call("shift", release=V2, weight=50)
    world.release(V3)
    assert world.call("status")["current"] == V3
    assert world.running() == {"acp-v1-2-0-c"}


def test_a_container_that_ended_says_why(world: FakeHost) -> None:
    """A candidate that was killed for memory and restarted is still told, with no use of its own."""
    world.release(V1)
    world.engine.change("acp-v1-0-0-a-ingest-1", state="exited", is_oom_killed=True, restarts=2)
    (row,) = [row for row in world.call("resources")["containers"] if row["name"] == "acp-v1-0-0-a-ingest-1"]
    assert (row["state"], row["oom_kills"], row["restarts"], row["memory_bytes"]) == ("exited", 1, 2, 0)
