from __future__ import annotations

import dataclasses
import errno
import json
from typing import Any

import pytest

from infra.hostctl.edge.control import WorkerReading
from infra.hostctl.errors import HostctlError
from infra.hostctl.readiness import Prober
from infra.hostctl.supervise import act_if_due, due
from infra.hostctl.watchdog import look
from tests.unit.hostctl.fakes import IMAGE, SECRET, FakeHost, _stat, spec

V1, V2, V3 = "v1.0.0-a", "v1.1.0-b", "v1.2.0-c"


def refused(code: str, world: FakeHost, command: str, **request: Any) -> HostctlError:
    """Assert that a call is refused with a code."""
    with pytest.raises(HostctlError) as caught:
        world.call(command, **request)
    assert caught.value.code == code, caught.value.message
    return caught.value


def test_a_first_release_goes_through_all_phases(world: FakeHost) -> None:
    """From an empty host to a committed release that a reboot restores."""
    answer = world.start(V1)
    assert (answer["phase"], answer["first"], answer["previous"]) == ("ready", True, None)
    assert answer["verify"] == {"acp-ingest": 18000, "acp-agents": 18001}
    assert answer["verify_current"] == {}
    assert world.edge.serving() == set()
    assert world.call("cutover", release=V1)["weight"] == 100
    committed = world.call("commit", release=V1)
    position = world.host.journal.position()
    assert committed == {
        "release": V1,
        "phase": "committed",
        "previous": None,
        "journal": {"seq": position.seq, "hash": position.hash},
    }
    assert world.call("drain", release=V1)["drained"] is None
    assert world.call("park", release=V1)["parked"] is None
    assert world.edge.routes_in_use() == "committed"
    assert {c.restart_policy for c in world.engine.all.values()} == {"unless-stopped"}
    assert world.call("status")["serving"] == V1


def test_traffic_moves_by_weight_and_the_old_release_is_parked(world: FakeHost) -> None:
    """Shift, cutover, commit, drain and park, with one release serving at any time between."""
    world.release(V1)
    answer = world.start(V2)
    assert answer["previous"] == V1
    assert answer["verify_current"] == {"acp-ingest": 18002, "acp-agents": 18003}
    assert world.edge.serving() == {V1}
    world.call("shift", release=V2, weight=25)
    status = world.call("status")
    assert (status["phase"], status["weight"], status["mixed"]) == ("shift", 25, True)
    world.call("cutover", release=V2)
    assert world.edge.serving() == {V2}
    world.call("commit", release=V2)
    world.call("drain", release=V2)
    assert ("acp-v1-0-0-a-worker-1", 120.0) in world.engine.stopped
    assert "acp-v1-0-0-a" not in world.running()
    assert world.call("status")["parked"] == []
    world.call("park", release=V2)
    assert world.running() == {"acp-v1-1-0-b"}
    status = world.call("status")
    assert (status["previous"], status["parked"], status["drift"]) == (V1, [V1], [])


def test_the_candidates_ports_come_before_the_current_releases(world: FakeHost) -> None:
    """Where the loopback ports do not suffice for both releases, what is left is the current one's."""
    world.release(V1)
    world.edge.settings = dataclasses.replace(world.edge.settings, verify_count=3)
    answer = world.start(V2)
    assert answer["verify"] == {"acp-ingest": 18000, "acp-agents": 18001}
    assert answer["verify_current"] == {"acp-ingest": 18002}


def test_every_phase_again_changes_nothing(world: FakeHost) -> None:
    """Each call of a rollout may be repeated, also after the whole rollout."""
    world.release(V1)
    for command, request in (
        ("start", {}),
        ("shift", {"weight": 9}),
        ("cutover", {}),
        ("commit", {}),
        ("drain", {}),
        ("park", {}),
    ):
        for _ in range(2):
            if command == "start":
                world.start(V2)
            else:
                world.call(command, release=V2, **request)
    answer = world.start(V2)
    assert (answer["phase"], answer["verify_current"]) == ("serving", {})
    assert world.call("cutover", release=V2)["phase"] == "committed"
    assert world.call("renew", release=V2)["deadline_seconds"] is None
    assert len(world.compose.calls) == 2


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


def test_a_revert_sends_traffic_back_before_anything_else(world: FakeHost) -> None:
    """The old release has all traffic at once; then the candidate's requests finish and it is removed."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    world.edge.sessions[V2] = 5
    answer = world.call("revert", release=V2, reason="errors")
    assert answer["reverted"]
    assert answer["serving"] == V1
    assert answer["restore_seconds"] == 0
    assert answer["seconds"] > 0
    assert world.edge.serving() == {V1}
    assert {c.project for c in world.engine.all.values()} == {"acp-v1-0-0-a"}
    assert world.call("status")["last_trial"]["reason"] == "errors"
    assert not world.call("revert", release=V2)["reverted"]


def test_a_revert_starts_the_old_release_if_it_does_not_run(world: FakeHost) -> None:
    """A release that died meanwhile is started again before the candidate goes."""
    world.release(V1)
    world.start(V2)
    world.engine.change("acp-v1-0-0-a-ingest-1", state="exited")
    world.call("revert", release=V2)
    assert world.edge.serving() == {V1}


def test_a_revert_that_leaves_nothing_serving_says_so(world: FakeHost) -> None:
    """Where the old release does not answer either, the error is its own."""
    world.release(V1)
    world.start(V2)
    world.engine.change("acp-v1-0-0-a-ingest-1", exit_code=9)
    refused("old_release_not_serving", world, "revert", release=V2)
    assert world.host.state.trial is None


def test_a_revert_after_the_commit_brings_the_parked_release_back(world: FakeHost) -> None:
    """After commit and park the previous release is started, serves and is committed; the other is parked."""
    world.release(V1)
    world.release(V2)
    answer = world.call("revert", release=V2, reason="late")
    assert answer["serving"] == V1
    status = world.call("status")
    assert (status["current"], status["serving"], status["parked"], status["drift"]) == (V1, V1, [V2], [])
    world.release(V3)
    assert world.call("status")["current"] == V3


def test_a_revert_between_commit_and_park_needs_no_start(world: FakeHost) -> None:
    """The old release that still runs gets the traffic back."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    world.call("commit", release=V2)
    world.call("revert", release=V2)
    assert world.call("status")["serving"] == V1
    assert world.running() == {"acp-v1-0-0-a"}


def test_a_parked_release_starts_warm_without_images_or_secrets(world: FakeHost) -> None:
    """Activation starts the kept containers; one without containers is refused."""
    world.release(V1)
    world.release(V2)
    world.engine.images.clear()
    world.engine.images.add(IMAGE)
    calls = len(world.compose.calls)
    assert world.call("activate", release=V1)["phase"] == "ready"
    for command in ("cutover", "commit", "drain", "park"):
        world.call(command, release=V1)
    assert len(world.compose.calls) == calls
    assert world.call("status")["serving"] == V1
    refused("unknown_release", world, "activate", release=V3)
    world.engine.remove("acp-v1-1-0-b-ingest-1")
    refused("no_parked_release", world, "activate", release=V2)


def test_a_reverted_warm_start_is_parked_again(world: FakeHost) -> None:
    """What was parked before its trial is kept."""
    world.release(V1)
    world.release(V2)
    world.call("activate", release=V1)
    world.call("revert", release=V1)
    assert world.call("status")["parked"] == [V1]
    assert world.running() == {"acp-v1-1-0-b"}


def test_nobody_confirms_so_the_host_reverts_by_itself(world: FakeHost) -> None:
    """After the deadline the watchdog reverts and journals it; the driver's next call is told why."""
    world.release(V1)
    world.start(V2, confirm_timeout_seconds=10)
    world.call("shift", release=V2, weight=50)
    world.clock.sleep(9)
    world.call("renew", release=V2)
    world.clock.sleep(9)
    assert look(world.host)
    assert world.host.state.trial is not None
    world.clock.sleep(2)
    assert look(world.host)
    assert not look(world.host)
    assert world.edge.serving() == {V1}
    assert "nobody confirmed within 10 seconds" in refused("trial_over", world, "commit", release=V2).message
    assert any(entry["phase"] == "watchdog" for entry in world.host.journal.tail(100))
    assert world.watchdogs


def test_without_a_watchdog_the_next_status_reverts(world: FakeHost) -> None:
    """A watchdog can be killed too; any call does its work."""
    world.release(V1)
    world.start(V2, confirm_timeout_seconds=10)
    world.clock.sleep(11)
    assert world.call("status")["candidate"] is None
    assert world.edge.serving() == {V1}


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        (lambda world: world.edge.restart(), "the edge was restarted"),
        (lambda world: world.engine.change("acp-v1-1-0-b-ingest-1", state="exited"), "ended by itself"),
        (lambda world: world.engine.change("acp-v1-1-0-b-worker-1", state="exited", is_oom_killed=True), "more memory"),
        (lambda world: world.edge.down.add("acp-v1-1-0-b-agents-1"), "took acp-agents"),
    ],
)
def test_what_breaks_during_a_trial_ends_it(world: FakeHost, breaks: Any, reason: str) -> None:
    """The host does not wait for the driver when the candidate or the edge broke."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    breaks(world)
    assert reason in str(due(world.host, world.host.state))
    act_if_due(world.host, wait_seconds=0)
    assert world.edge.serving() == {V1}
    assert reason in refused("trial_over", world, "renew", release=V2).message
    assert reason in world.call("revert", release=V2)["trouble"]


def test_a_revert_tells_what_became_of_the_candidate(world: FakeHost) -> None:
    """The driver, which only saw failing requests, learns that the candidate was killed."""
    world.release(V1)
    world.start(V2)
    assert world.call("revert", release=V2)["trouble"] == ""
    world.start(V2)
    world.engine.change("acp-v1-1-0-b-ingest-1", state="exited", is_oom_killed=True)
    answer = world.call("revert", release=V2, reason="7 of 62 requests failed")
    assert (answer["reverted"], "more memory" in answer["trouble"]) == (True, True)


def test_another_release_ends_a_trial_that_somebody_left(world: FakeHost) -> None:
    """A new deployer does not wait for a dead one's deadline."""
    world.release(V1)
    world.start(V2)
    world.call("shift", release=V2, weight=50)
    world.release(V3)
    assert world.call("status")["current"] == V3
    assert world.running() == {"acp-v1-2-0-c"}


def test_an_old_release_that_nobody_parks_is_parked_by_the_host(world: FakeHost) -> None:
    """A driver that died after the commit leaves nothing running."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    world.call("commit", release=V2)
    assert due(world.host, world.host.state) is None
    world.clock.sleep(61)
    look(world.host)
    assert world.running() == {"acp-v1-1-0-b"}
    assert world.call("status")["parked"] == [V1]


def test_an_old_release_is_parked_as_soon_as_its_deployers_lease_is_over(world: FakeHost) -> None:
    """A deployer that died after the commit is not waited for; one that is alive is."""
    world.release("v1.0.0-a")
    lease = world.call("lease", action="acquire", holder="ci-1", purpose="p", ttl_seconds=10)["lease"]
    held = {"lease": {"holder": "ci-1", "fence": lease["fence"]}}
    world.start("v2.0.0-b", **held)
    for command in ("cutover", "commit"):
        world.call(command, release="v2.0.0-b", **held)
    world.clock.sleep(9)
    act_if_due(world.host, wait_seconds=0)
    assert world.host.state.retiring is not None
    world.clock.sleep(2)
    act_if_due(world.host, wait_seconds=0)
    assert world.host.state.retiring is None
    assert world.call("status")["parked"] == ["v1.0.0-a"]


@pytest.mark.parametrize("who", ["driver", "watchdog"])
def test_a_full_disk_stops_a_rollout_but_not_its_revert(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """Nothing moves that cannot be written down; the room kept back is enough to go back."""
    world.release(V1)
    world.start(V2, confirm_timeout_seconds=10)
    world.call("shift", release=V2, weight=50)
    reserve = world.host.paths.reserve
    assert reserve.exists()

    def no_room(descriptor: int) -> None:
        if reserve.exists():
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", no_room)
    refused("disk_full", world, "cutover", release=V2)
    assert world.edge.serving() == {V1, V2}
    if who == "driver":
        world.call("revert", release=V2)
    else:
        world.clock.sleep(11)
        act_if_due(world.host, wait_seconds=0)
    assert world.edge.serving() == {V1}
    assert world.host.state.trial is None


def test_phases_out_of_order_are_refused(world: FakeHost) -> None:
    """A commit needs a cutover, a shift needs a candidate."""
    refused("wrong_phase", world, "cutover", release=V1)
    world.start(V1)
    refused("wrong_phase", world, "commit", release=V1)
    refused("bad_request", world, "shift", release=V1, weight=101)


def test_a_drain_waits_for_requests_and_tells_what_it_cut(world: FakeHost) -> None:
    """Requests that run get their time; what is left at the limit is counted."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    world.call("commit", release=V2)
    world.edge.sessions[V1] = 40
    assert world.call("drain", release=V2)["cut"] == []
    world.edge.sessions[V1] = 10_000
    answer = world.call("drain", release=V2)
    assert 30 <= answer["seconds"] < 32
    assert {cut["service"] for cut in answer["cut"]} == {"acp-ingest", "acp-agents"}


def test_a_drain_waits_for_clients_of_workers_that_know_only_the_old_release(world: FakeHost) -> None:
    """A kept connection of an old HAProxy worker could still bring a request for the old release."""
    world.release(V1)
    world.start(V2)
    world.call("cutover", release=V2)
    world.call("commit", release=V2)
    blind = WorkerReading(
        key="w0", is_old=True, stats=(_stat("acp-ingest", f"{V1}:1", 256, "UP", 0),), client_sessions=3
    )
    world.edge.old_workers = [blind]
    assert world.call("drain", release=V2)["cut"] == [{"service": "connections", "sessions": 3}]


def test_prune_keeps_what_may_be_needed(world: FakeHost) -> None:
    """The oldest parked releases go with their files; current, previous and pinned ones stay."""
    names = [f"v1.{index}.0-x" for index in range(6)]
    for name in names:
        world.release(name)
    answer = world.call("prune", keep=2, pinned=[names[0]])
    assert answer["removed"] == names[1:4]
    assert answer["kept"] == [names[0], names[4]]
    assert IMAGE in world.engine.images
    assert {path.stem for path in world.host.paths.releases.glob("*.json")} == {names[0], names[4], names[5]}


def test_the_serving_release_cannot_be_stopped(world: FakeHost) -> None:
    """Stopping is for candidates and parked releases."""
    world.release(V1)
    refused("wrong_phase", world, "stop", release=V1)
    world.start(V2)
    assert world.call("stop", release=V2)["stopped"]
    assert world.edge.serving() == {V1}
    world.release(V2)
    assert world.call("stop", release=V1, remove=True)["removed"]
    assert world.call("status")["previous"] is None


def test_status_tells_what_is_not_as_it_should_be(world: FakeHost) -> None:
    """A dead container, a running parked one and routes that differ are all named."""
    world.release(V1)
    world.release(V2)
    world.engine.change("acp-v1-1-0-b-ingest-1", state="exited")
    world.engine.change("acp-v1-0-0-a-ingest-1", state="running")
    world.edge.loaded = None
    drift = [difference["what"] for difference in world.call("status")["drift"]]
    assert any("acp-v1-1-0-b-ingest-1 of the current release" in line for line in drift)
    assert any("acp-v1-0-0-a-ingest-1 of a parked release runs" in line for line in drift)
    assert any("the edge serves nothing" in line for line in drift)


def test_status_answers_on_a_host_without_anything(world: FakeHost) -> None:
    """Before any set-up a status is empty, not an error, and writes nothing."""
    world.edge.is_set_up = False
    world.edge.running = False
    status = world.call("status")
    assert (status["current"], status["phase"], status["drift"]) == (None, "idle", [])
    assert not world.folder.exists()


def test_every_mutation_takes_the_host_for_itself(world: FakeHost) -> None:
    """While a call works, the watchdog and other calls keep off."""
    world.release(V1)
    host = world.host
    with host.changing("test", None):
        assert due(world.host, host.state) is None
        with pytest.raises(HostctlError) as caught:
            world.start(V2)
        assert caught.value.code == "busy"


def test_a_container_that_ended_says_why(world: FakeHost) -> None:
    """A candidate that was killed for memory and restarted is still told, with no use of its own."""
    world.release(V1)
    world.engine.change("acp-v1-0-0-a-ingest-1", state="exited", is_oom_killed=True, restarts=2)
    (row,) = [row for row in world.call("resources")["containers"] if row["name"] == "acp-v1-0-0-a-ingest-1"]
    assert (row["state"], row["oom_kills"], row["restarts"], row["memory_bytes"]) == ("exited", 1, 2, 0)


def test_resources_and_readiness_are_told_by_container(world: FakeHost) -> None:
    """Figures without the page cache; passes of every replica."""
    world.release(V1)
    rows = world.call("resources")["containers"]
    assert {row["memory_bytes"] for row in rows} == {70}
    assert {(row["restarts"], row["oom_kills"], row["disk_bytes"], row["state"]) for row in rows} == {
        (0, 0, 4096, "running")
    }
    assert {row["service"] for row in rows} == {"acp-ingest", "acp-agents", "acp-worker"}
    passes = {row["name"]: row["passes"] for row in world.call("ready", release=V1)["containers"]}
    assert passes["acp-v1-0-0-a-ingest-1"] == 3


def test_the_patience_of_a_question_for_readiness_can_be_bounded(world: FakeHost, monkeypatch: Any) -> None:
    """`ready` waits as long as it is told, and never longer than the release says."""
    world.release(V1)
    limits: list[float] = []

    def wait(_self: Any, spec: Any) -> list[Any]:
        limits.extend(service.readiness.timeout_seconds for service in spec.services if service.readiness)
        return []

    monkeypatch.setattr(Prober, "wait", wait)
    for asked in (2, 3000):
        world.call("ready", release=V1, within_seconds=asked)
    assert set(limits) == {2, 10}
