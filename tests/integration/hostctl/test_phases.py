from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.adapters.forward import forwarded
from infra.errors import CandidateError, HostError, LeaseHeldError
from tests.integration.hostctl.site import PHASES, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.checks.prober import Prober
    from tests.integration.hostctl.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
NAMES = (f"v2.{number}.0-test" for number in itertools.count())
QUICK_SWITCH_SECONDS = 2.0
CHECKED_SECONDS = 5.0
"""More than the edge needs to take a candidate out that fails its checks."""
LATE_REQUESTS, LATE_SECONDS = 6, 0.05
FAULT = "/tmp/acp-fault"  # noqa: S108 - on the lab host
KILL_POINTS = (
    "start/up/begin",
    "ready/trial_routes/end",
    "cutover/weights/begin",
    "commit/state/end",
    "drain/routes/end",
    "revert/traffic/end",
)


def nothing_lost(prober: Prober) -> None:
    """Assert that every request was answered."""
    certificate = prober.certificate()
    assert certificate.sent > 50
    assert certificate.reasons == {}


def rollout(site: Site, release: str, phases: tuple[str, ...]) -> None:
    """Start a release and call some phases."""
    site.start(release, confirm_timeout_seconds=15)
    for phase in phases:
        site.call(phase, release=release)


def answers(site: Site, port: int = 8000) -> str | None:
    """Return the release that answers at a public port."""
    header: str | None = httpx.get(f"http://{site.host.reach(port)}/x", timeout=5).headers.get("X-ACP-Release")
    return header


def test_a_release_replaces_another_without_losing_a_request(site: Site) -> None:
    """Start, shift, cutover, commit, drain and park under load: none lost, and the counters know every request."""
    old, new = site.status()["current"], next(NAMES)
    with site.traffic() as prober:
        started = site.start(new)
        assert started["previous"] == old
        with forwarded(site.client("deploy"), started["verify"]) as local:
            for port in local.values():
                assert httpx.get(f"http://127.0.0.1:{port}/x").headers["X-ACP-Release"] == new
        before = site.call("counters")["services"]["acp-ingest"][old]["requests"]
        site.call("shift", release=new, weight=30)
        time.sleep(2)
        shares = {name: counts["requests"] for name, counts in site.call("counters")["services"]["acp-ingest"].items()}
        for phase in PHASES:
            site.call(phase, release=new)
    nothing_lost(prober)
    share = shares[new] / (shares[new] + shares[old] - before)
    assert 0.15 < share < 0.45, shares
    status = site.status()
    assert (status["serving"], status["previous"], status["drift"]) == (new, old, [])
    assert status["edge"]["routes"] == "committed"
    counted = sum(counts["requests"] for counts in site.call("counters")["services"]["acp-ingest"].values())
    # What an old worker of the edge answers right before it ends is not read any more.
    assert counted >= 0.9 * len(prober.answers) / 2


def test_what_a_client_pauses_is_no_latency_of_the_release(site: Site) -> None:
    """A kept connection rests between its requests; the times of the counters leave that out."""
    new, pause_seconds = next(NAMES), 0.3
    rollout(site, new, ("cutover",))
    with httpx.Client() as client:
        for _ in range(8):
            assert client.get(f"http://{site.host.reach(8000)}/x").headers["X-ACP-Release"] == new
            time.sleep(pause_seconds)
    counted = site.call("counters")["services"]["acp-ingest"][new]
    site.call("revert", release=new, reason="a test")
    assert counted["requests"] >= 8
    assert counted["time_ms_average"] < pause_seconds * 1000 / 2


def test_a_revert_gives_the_traffic_back_at_once(site: Site) -> None:
    """A revert at full weight loses nothing and needs far less than two seconds."""
    old, new = site.status()["current"], next(NAMES)
    with site.traffic() as prober:
        site.start(new)
        site.call("cutover", release=new)
        time.sleep(0.5)
        answer = site.call("revert", release=new, reason="a test")
    nothing_lost(prober)
    assert answer["restore_seconds"] < QUICK_SWITCH_SECONDS
    assert answers(site) == old
    assert site.docker("ps", "-aq", "--filter", f"name={new.replace('.', '-')}") == ""


def test_a_parked_release_comes_back_warm(site: Site) -> None:
    """A revert after commit and park starts the kept containers; nothing is lost."""
    old, new = site.status()["current"], next(NAMES)
    site.release(new)
    with site.traffic() as prober:
        answer = site.call("revert", release=new, reason="late")
    nothing_lost(prober)
    assert (answer["serving"], answers(site)) == (old, old)


@pytest.mark.parametrize("mode", ["never", "crash"])
def test_a_bad_candidate_never_gets_traffic(site: Site, mode: str) -> None:
    """What does not get ready is removed with its last words told, masked; the running release answers throughout."""
    old, new = site.status()["current"], next(NAMES)
    with site.traffic() as prober, pytest.raises(CandidateError) as caught:
        site.start(new, mode)
    nothing_lost(prober)
    assert f"{new} starts with [secret]" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert prober.certificate().by_release == {old: prober.certificate().sent}
    assert site.status()["candidate"] is None


def test_a_candidate_that_fails_is_taken_out_by_the_edge_and_reverted_by_the_host(site: Site) -> None:
    """Requests that are safe to repeat never fail; of the others at most `max_failures` per service do."""
    old, new = site.status()["current"], next(NAMES)
    with site.traffic() as prober:
        site.start(new, "failing")
        site.call("shift", release=new, weight=20)
        status = site.settle()
    reasons = prober.certificate().reasons
    assert set(reasons) <= {"POST: status 500"}
    assert sum(reasons.values()) <= 2 * 5
    assert (status["serving"], status["last_trial"]["outcome"]) == (old, "reverted")
    assert "failed too often" in status["last_trial"]["reason"]


def test_a_repeatable_request_whose_body_comes_late_is_asked_again(site: Site) -> None:
    """Whole or in pieces: what is safe to repeat, and fails on the candidate, the current release answers."""
    old, new = site.status()["current"], next(NAMES)
    site.start(new, "failing")
    site.call("shift", release=new, weight=50)
    answered = [post_late(f"http://{site.host.reach(8000)}/search") for _ in range(LATE_REQUESTS)]
    site.call("revert", release=new, reason="seen enough")
    assert answered == [(200, old)] * LATE_REQUESTS


def post_late(url: str) -> tuple[int, str | None]:
    """Send a request's body some time after its headers; return the answer's status and release."""

    def body() -> Iterator[bytes]:
        time.sleep(LATE_SECONDS)
        yield b"{}"

    response = httpx.post(url, content=body(), headers={"Content-Length": "2"}, timeout=5)
    return response.status_code, response.headers.get("X-ACP-Release")


def test_a_driver_that_goes_silent_is_reverted(site: Site) -> None:
    """Nobody renews, so the host reverts by itself within its time; the late commit is told."""
    old, new = site.status()["current"], next(NAMES)
    with site.traffic() as prober:
        site.start(new, confirm_timeout_seconds=12)
        site.call("cutover", release=new)
        site.settle(timeout_seconds=60)
    nothing_lost(prober)
    assert answers(site) == old
    with pytest.raises(HostError, match="nobody confirmed within 12 seconds"):
        site.call("commit", release=new)


def test_a_long_request_outlives_its_release(site: Site) -> None:
    """A request that runs when its release is drained is answered before the release is parked."""
    old, new = site.status()["current"], next(NAMES)
    site.start(new)
    with site.traffic(path="/slow/4", rate=10) as prober:
        time.sleep(0.5)
        for phase in ("cutover", "commit", "drain"):
            answer = site.call(phase, release=new)
        assert answer["cut"] == []
        assert answer["seconds"] > 1
        site.call("park", release=new)
        time.sleep(1)
    nothing_lost(prober)
    assert set(prober.certificate().by_release) == {old, new}
    assert "task finished" in site.docker("logs", f"acp-{old.replace('.', '-')}-worker-1")


def test_nothing_is_sent_to_a_release_that_is_drained(site: Site) -> None:
    """The new release fails its checks for a while after the commit: the old one, which ends, is asked no more."""
    new = next(NAMES)
    site.start(new)
    replicas = [f"acp-{new.replace('.', '-')}-{name}-1" for name in ("ingest", "agents")]
    with site.traffic() as prober:
        for phase in ("cutover", "commit"):
            site.call(phase, release=new)
        for replica in replicas:
            site.docker("exec", replica, "touch", "/tmp/unready")  # noqa: S108 - the container's own
        time.sleep(CHECKED_SECONDS)
        site.call("drain", release=new)
        time.sleep(1)
        site.call("park", release=new)
        for replica in replicas:
            site.docker("exec", replica, "rm", "/tmp/unready")  # noqa: S108 - the container's own
    nothing_lost(prober)
    assert answers(site) == new


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_kill_ends_with_one_release_and_the_next_one_succeeds(site: Site, point: str) -> None:
    """Hostctl killed at a journal entry: nothing lost, one release serves, nothing is left over."""
    new, after = next(NAMES), next(NAMES)
    arm = f"rm -rf {FAULT}; mkdir {FAULT}; echo die {point} > {FAULT}/point; chown -R deploy {FAULT}"
    site.machine.exec(["/bin/sh", "-c", arm])
    with site.traffic() as prober:
        with pytest.raises(HostError):
            rollout(site, new, ("cutover", "revert") if point.startswith("revert") else PHASES)
        site.machine.exec(["rm", "-rf", FAULT])
        status = site.settle(timeout_seconds=120)
        assert status["drift"] == []
        assert status["serving"] == status["current"]
        site.release(after)
    nothing_lost(prober)
    running = set(site.docker("ps", "--format", '{{.Label "com.docker.compose.project"}}').split())
    assert running == {"acp-edge", "acp-" + after.replace(".", "-")}


def test_a_reboot_during_a_trial_restores_the_committed_release(site: Site) -> None:
    """After the boot the committed release answers before anybody calls, and the trial is over."""
    old, new = site.status()["current"], next(NAMES)
    site.start(new)
    site.call("cutover", release=new)
    site.machine.reboot()
    deadline = time.monotonic() + 60
    while True:
        try:
            assert answers(site) == old
            break
        except (AssertionError, httpx.HTTPError):
            assert time.monotonic() < deadline, "the committed release did not come back"
            time.sleep(0.5)
    status = site.settle()
    assert (status["serving"], status["drift"]) == (old, [])
    assert (status["last_trial"]["release"], status["last_trial"]["outcome"]) == (new, "reverted")


def test_a_second_deployer_is_refused_in_a_second(site: Site) -> None:
    """Who holds the host, and since when, is told at once; a heartbeat does not wait for a running call."""
    lease = site.call("lease", action="acquire", holder="ci-1", purpose="a test", ttl_seconds=20)["lease"]
    mine = {"holder": "ci-1", "fence": lease["fence"]}
    try:
        began = time.monotonic()
        with pytest.raises(LeaseHeldError, match="ci-1 holds this host since"):
            site.start(next(NAMES))
        assert time.monotonic() - began < 5
        site.call("lease", action="renew", lease=mine)
    finally:
        site.call("lease", action="release", lease=mine)


def test_the_deploy_key_can_do_nothing_else(site: Site) -> None:
    """No shell, no set-up command, no forwarding but to the verification ports, whatever is asked for."""
    for command in ("cat /etc/passwd", "install", ""):
        done = site.lab.ssh(1, command, key="deploy", stdin='{"command": "install"}')
        answer = json.loads(done.stdout)
        assert (answer["event"], answer["code"]) == ("error", "not_permitted")
    assert site.lab.ssh(1, "hostctl --version", key="deploy").stdout.startswith("0.")


def test_no_secret_is_on_the_host_outside_docker(site: Site) -> None:
    """Neither hostctl's files nor its journal have a secret's value."""
    done = site.machine.exec(["grep", "-rl", "pa55word-of-a-test", "/home/deploy", "/tmp"], check=False)  # noqa: S108
    assert done.stdout == ""
