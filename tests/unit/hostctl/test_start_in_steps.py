"""A start in steps: a call returns when the containers run, when they answer, or when they are ready."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl import launch, readiness
from infra.hostctl.errors import HostctlError
from infra.hostctl.watchdog import look
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import SECRET, V1, V2, V3, spec

if TYPE_CHECKING:
    from infra.hostctl.spec import ReleaseSpec

PASSES = 3
WORKER = "acp-v1-1-0-b-worker-1"


def held(world: FakeHost) -> dict[str, Any]:
    """Take the lease of the host, and return it as a request has it."""
    lease = world.call("lease", action="acquire", holder="ci-1", purpose="p", ttl_seconds=60)["lease"]
    return {"lease": {"holder": "ci-1", "fence": lease["fence"]}}


def test_the_first_call_does_not_ask_whether_it_is_ready(world: FakeHost) -> None:
    """The candidate runs and is on trial, but no route leads to it; the second call puts it there."""
    world.release(V1)
    calls = len(world.compose.calls)
    assert world.start(V2, until="started")["phase"] == "started"
    assert world.call("status")["phase"] == "started"
    assert world.running() == {"acp-v1-0-0-a", "acp-v1-1-0-b"}
    assert world.edge.routes_in_use() == "committed"
    refused("wrong_phase", world, "cutover", release=V2)
    answer = world.start(V2)
    assert (answer["phase"], answer["changed"], answer["warm"]) == ("ready", True, False)
    assert world.edge.routes_in_use() == "trial"
    assert len(world.compose.calls) == calls + len(("what answers", "its workers"))
    for command in ("cutover", "commit", "drain", "park"):
        world.call(command, release=V2)
    assert world.call("status")["serving"] == V2


def test_a_kept_release_is_warm_in_two_calls_too(world: FakeHost) -> None:
    """Compose is not asked, and what is reverted then is kept again."""
    world.release(V1)
    world.release(V2)
    calls = len(world.compose.calls)
    assert world.start(V1, until="started")["phase"] == "started"
    assert world.start(V1)["warm"]
    assert len(world.compose.calls) == calls
    world.call("revert", release=V1)
    assert world.call("status")["parked"] == [V1]


def test_the_first_call_again_gives_it_time(world: FakeHost) -> None:
    """A runner that asks twice starts nothing twice."""
    world.start(V1, until="started", confirm_timeout_seconds=10)
    world.clock.sleep(8)
    assert not world.start(V1, until="started")["changed"]
    assert len(world.compose.calls) == 1
    world.clock.sleep(8)
    look(world.host)
    assert world.start(V1)["phase"] == "ready"


def test_nobody_comes_for_a_started_candidate_so_it_goes(world: FakeHost) -> None:
    """A runner that is gone between the calls leaves nothing: the host waits for the deadline and reverts."""
    world.release(V1)
    world.start(V2, until="started", confirm_timeout_seconds=10)
    world.clock.sleep(9)
    assert look(world.host)
    assert world.running() == {"acp-v1-0-0-a", "acp-v1-1-0-b"}
    world.clock.sleep(2)
    look(world.host)
    assert world.running() == {"acp-v1-0-0-a"}
    assert "nobody confirmed within 10 seconds" in world.call("status")["last_trial"]["reason"]
    assert world.start(V2)["phase"] == "ready"


def test_a_started_candidate_waits_as_long_as_its_lease_is_renewed(world: FakeHost) -> None:
    """Another host may pull for longer than a trial lives; once the deployer is silent the trial is over."""
    world.release(V1)
    lease = held(world)
    world.start(V2, until="started", confirm_timeout_seconds=10, **lease)
    for _ in range(3):
        world.clock.sleep(40)
        world.call("lease", action="renew", **lease)
        assert look(world.host)
    assert world.call("status")["phase"] == "started"
    world.clock.sleep(61)
    look(world.host)
    assert world.running() == {"acp-v1-0-0-a"}
    assert "nobody confirmed within 10 seconds" in world.call("status")["last_trial"]["reason"]


def test_a_ready_candidate_does_not_live_by_its_lease(world: FakeHost) -> None:
    """From the second call on the rollout renews the trial itself."""
    world.release(V1)
    lease = held(world)
    world.start(V2, confirm_timeout_seconds=10, **lease)
    world.clock.sleep(11)
    world.call("lease", action="renew", **lease)
    look(world.host)
    assert world.running() == {"acp-v1-0-0-a"}


def test_one_that_ended_in_between_says_so_to_the_second_call(world: FakeHost) -> None:
    """The host does not put it away before its reason and its last lines were told."""
    world.release(V1)
    world.start(V2, until="started")
    world.engine.change("acp-v1-1-0-b-agents-1", state="exited", exit_code=3)
    look(world.host)
    with pytest.raises(HostctlError) as caught:
        world.start(V2)
    assert caught.value.code == "crash_loop"
    assert caught.value.details["logs"]
    assert world.running() == {"acp-v1-0-0-a"}
    assert "crash_loop" in world.call("revert", release=V2)["trouble"]


def test_a_reboot_in_between_ends_the_trial(world: FakeHost) -> None:
    """As it ends every trial."""
    world.release(V1)
    world.start(V2, until="started")
    world.clock.boot = "boot-2"
    look(world.host)
    assert "rebooted" in world.call("status")["last_trial"]["reason"]


def test_the_lease_is_given_back_only_by_the_call_that_nobody_follows(world: FakeHost) -> None:
    """The first call's failure is the end of its run; after the second the driver still reverts the other hosts."""
    world.release(V1)
    lease = held(world)
    world.compose.broken = {"ingest": {"state": "exited", "exit_code": 3}}
    world.start(V2, until="started", **lease)
    with pytest.raises(HostctlError, match="does not stay up"):
        world.start(V2, **lease)
    assert world.call("lease", action="renew", **lease)["lease"]["holder"] == "ci-1"
    world.compose.problem = HostctlError("compose_failed", "no")
    with pytest.raises(HostctlError, match="no"):
        world.start(V2, until="started", **lease)
    refused("lease_lost", world, "lease", action="renew", **lease)


def test_one_that_answers_is_reached_for_checks_alone(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """One good answer of each replica opens the verification ports; traffic waits for all that it takes."""
    world.release(V1)
    asked: list[str] = []
    monkeypatch.setattr(readiness, "probe", lambda address, *_: asked.append(address))
    world.start(V2, until="started")
    answer = world.start(V2, until="answering")
    assert (answer["phase"], answer["changed"], answer["verify"]) == (
        "answering",
        True,
        {"acp-ingest": 18000, "acp-agents": 18001},
    )
    assert len(asked) == 2
    assert world.edge.routes_in_use() == "trial"
    refused("wrong_phase", world, "cutover", release=V2)
    loaded = world.edge.loaded
    assert world.start(V2)["phase"] == "ready"
    assert len(asked) == 2 + 2 * PASSES
    assert world.edge.loaded is loaded
    assert world.start(V2, until="answering")["phase"] == "ready"


def test_workers_leave_the_processor_to_what_has_to_answer(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are brought up, and waited for, with everything else that ready takes; nobody misses them before."""
    waited: list[tuple[str, ...]] = []
    wait = readiness.Prober.wait

    def note(prober: readiness.Prober, release: ReleaseSpec, **options: Any) -> list[readiness.Passed]:
        waited.append(tuple(service.name for service in release.services))
        return wait(prober, release, **options)

    monkeypatch.setattr(readiness.Prober, "wait", note)
    world.start(V2, until="started")
    world.start(V2, until="answering")
    assert set(world.engine.all) == {"acp-v1-1-0-b-ingest-1", "acp-v1-1-0-b-agents-1"}
    look(world.host)
    assert world.call("status")["phase"] == "answering"
    assert world.start(V2)["phase"] == "ready"
    assert world.engine.all[WORKER].is_running
    assert waited == [("acp-ingest", "acp-agents"), ("acp-ingest", "acp-agents"), ("acp-worker",)]
    world.engine.change(WORKER, state="exited")
    look(world.host)
    assert world.call("status")["last_trial"]["reason"] == f"{WORKER} ended by itself"


def test_web_services_that_need_their_workers_get_them(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer for a while may wait for a worker."""
    monkeypatch.setattr(launch, "WORKERS_WAIT_SECONDS", 0.05)

    def probe(*_: object) -> str | None:
        time.sleep(0.01)
        return None if WORKER in world.engine.all else "no worker is heard of"

    monkeypatch.setattr(readiness, "probe", probe)
    world.start(V2, until="started")
    assert world.start(V2, until="answering")["phase"] == "answering"
    calls = len(world.compose.calls)
    assert world.start(V2)["phase"] == "ready"
    assert len(world.compose.calls) == calls


def test_a_worker_that_cannot_be_made_undoes_the_start(world: FakeHost) -> None:
    """The second call to Compose can fail as the first one can."""
    world.release(V1)
    world.start(V2, until="answering")
    world.compose.problem = HostctlError("compose_failed", "no")
    refused("compose_failed", world, "start", spec=spec(V2), secrets={"DATABASE_URL": SECRET})
    assert world.running() == {"acp-v1-0-0-a"}


def test_one_that_answers_no_more_is_removed(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first answer was not the last word."""
    world.release(V1)
    world.start(V2, until="answering")
    monkeypatch.setattr(readiness, "probe", lambda *_: "status 503")
    refused("candidate_not_ready", world, "start", spec=spec(V2), secrets={"DATABASE_URL": SECRET})
    assert world.running() == {"acp-v1-0-0-a"}
    assert world.edge.routes_in_use() == "committed"


def test_nobody_comes_for_one_that_answers_so_it_goes(world: FakeHost) -> None:
    """The lease keeps only one that was just started."""
    world.release(V1)
    lease = held(world)
    world.start(V2, until="answering", confirm_timeout_seconds=10, **lease)
    world.clock.sleep(11)
    world.call("lease", action="renew", **lease)
    look(world.host)
    assert world.running() == {"acp-v1-0-0-a"}
    assert world.edge.routes_in_use() == "committed"


def test_an_edge_that_came_back_meanwhile_gets_the_routes_again(world: FakeHost) -> None:
    """HAProxy starts with the committed routes, which do not lead to the candidate: it is started anew."""
    world.release(V1)
    world.start(V2, until="answering")
    world.edge.restart()
    assert world.start(V2)["phase"] == "ready"
    assert world.edge.routes_in_use() == "trial"


def test_a_kept_release_is_ready_without_a_stop(world: FakeHost) -> None:
    """It is so soon ready that a second call would only cost time."""
    world.release(V1)
    world.release(V2)
    assert world.start(V1, until="answering", workers_later=True)["phase"] == "ready"


def test_a_stage_that_there_is_not_is_refused(world: FakeHost) -> None:
    """The error names the stages, and nothing is started."""
    with pytest.raises(HostctlError, match="must be one of started, answering, ready"):
        world.start(V1, until="cutover")
    assert world.running() == set()


def test_an_activation_takes_it_up_as_well(world: FakeHost) -> None:
    """Whoever asks next for the release waits for it; one whose workers were never made is none that was kept."""
    world.release(V1)
    world.release(V2)
    world.start(V1, until="started")
    assert world.call("activate", release=V1)["phase"] == "ready"
    world.call("revert", release=V1)
    world.start(V3, until="started")
    refused("no_parked_release", world, "activate", release=V3)


def test_its_routes_are_written_while_it_starts_up(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is ready they have been checked already; nothing uses them before."""
    world.release(V1)
    seen: list[tuple[set[str], str | None]] = []

    def probe(*_: object) -> None:
        written = world.edge.trial_on_disk
        assert written is not None
        releases = {server.release for backend in written.backends for server in backend.servers if server.weight}
        seen.append((releases, world.edge.routes_in_use()))

    monkeypatch.setattr(readiness, "probe", probe)
    world.start(V2, until="answering")
    assert seen[0] == ({V1}, "committed")
    world.edge.trial_on_disk = None
    monkeypatch.setattr(readiness, "probe", lambda *_: None)
    assert world.start(V2)["phase"] == "ready"
    assert world.edge.trial_on_disk is None, "the routes in use are written again"


def test_an_edge_that_is_away_while_it_starts_up_decides_nothing(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The routes are written again when they are needed, and a failure then is one of the release."""
    world.release(V1)
    world.start(V2, until="started")
    world.edge.running = False

    def probe(*_: object) -> None:
        world.edge.running = True

    monkeypatch.setattr(readiness, "probe", probe)
    assert world.start(V2)["phase"] == "ready"
    assert world.edge.routes_in_use() == "trial"
