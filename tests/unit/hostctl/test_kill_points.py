from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl import readiness
from infra.hostctl.errors import HostctlError
from infra.hostctl.lease import Leases
from infra.hostctl.supervise import act_if_due, is_unfinished
from tests.unit.hostctl.fake_host import FakeHost
from tests.unit.hostctl.release_spec import spec

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.spec import Readiness

OLD, NEW, NEXT = "v1.0.0-old", "v1.1.0-new", "v1.2.0-next"
Plan = tuple[tuple[str, dict[str, Any]], ...]
GOOD: Plan = (
    ("start", {"until": "started"}),
    ("start", {"until": "answering"}),
    ("start", {}),
    ("shift", {"weight": 30}),
    ("cutover", {}),
    ("commit", {}),
    ("drain", {}),
    ("park", {}),
)
REVERTED: Plan = (
    ("start", {"until": "started"}),
    ("start", {"until": "answering"}),
    ("start", {}),
    ("shift", {"weight": 30}),
    ("revert", {"reason": "too slow"}),
)
TAKEN_BACK: Plan = (("start", {}), ("cutover", {}), ("commit", {}), ("drain", {}), ("park", {}), ("revert", {}))
TAKEN_BACK_EARLY: Plan = (("start", {}), ("cutover", {}), ("commit", {}), ("revert", {}))
"""Before the old release was drained, so that it still runs."""
WARM: Plan = (("start", {}), ("cutover", {}), ("commit", {}), ("drain", {}), ("park", {}))
"""Of a release that served before the one that serves now."""
PLANS = {
    "good": GOOD,
    "reverted": REVERTED,
    "taken_back": TAKEN_BACK,
    "taken_back_early": TAKEN_BACK_EARLY,
    "warm": WARM,
}


class KilledError(BaseException):
    """Stands for kill -9."""


def host_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Return another host in memory whose containers answer while they run."""
    other = FakeHost(folder)

    def probe(address: str, port: int, how: Readiness) -> str | None:
        return (
            None if any(c.is_running and address in c.addresses.values() for c in other.engine.all.values()) else "down"
        )

    monkeypatch.setattr(readiness, "probe", probe)
    return other


def kill_at(world: FakeHost, number: int) -> list[str]:
    """Kill hostctl when its journal gets its entry `number` from now; return the names of the entries that came."""
    seen: list[str] = []

    def observe(entry: dict[str, Any]) -> None:
        seen.append(f"{entry['phase']}/{entry['step']}/{entry['mark']}")
        if len(seen) == number:
            raise KilledError

    world.observer = observe
    return seen


def rollout(world: FakeHost, plan: Plan) -> None:
    """Call what the driver calls, until hostctl is killed."""
    for command, request in plan:
        if command == "start":
            world.start(NEW, confirm_timeout_seconds=5, **request)
        else:
            world.call(command, release=NEW, **request)


def prepare(world: FakeHost, plan: str) -> None:
    """Bring a host to the release that serves before a plan."""
    if plan == "warm":
        world.release(NEW)
    world.release(OLD)


def points(folder: Path, plan: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many entries a plan writes into the journal."""
    world = host_in(folder / "count", monkeypatch)
    prepare(world, plan)
    seen = kill_at(world, 10_000)
    rollout(world, PLANS[plan])
    return len(seen)


def killed(world: FakeHost, plan: str, number: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a plan until it is killed at an entry; a killed process gives no lease back. Return the entry."""
    prepare(world, plan)
    seen = kill_at(world, number)
    with monkeypatch.context() as patch:
        patch.setattr(Leases, "release", lambda *_: False)
        with contextlib.suppress(KilledError):
            rollout(world, PLANS[plan])
    world.observer = None
    return seen[-1]


def settle(world: FakeHost) -> None:
    """Do what the watchdog does until there is nothing left for it."""
    for _ in range(400):
        if not is_unfinished(world.host, world.host.state):
            return
        act_if_due(world.host, wait_seconds=0)
        world.clock.sleep(0.5)
    pytest.fail("the watchdog never came to an end")


def assert_one_release(world: FakeHost, where: str) -> str:
    """Assert that state, Docker and the edge agree on one release, and nothing else runs; return it."""
    state = world.host.state
    assert state.current is not None, where
    assert world.edge.serving() == {state.current}, where
    assert world.running() == {spec(state.current)["project"]}, where
    assert world.edge.routes_in_use() == "committed", where
    status = world.call("status")
    assert status["drift"] == [], where
    projects = {container.project for container in world.engine.all.values()}
    assert projects <= {spec(release)["project"] for release in state.known}, where
    assert {path.stem for path in world.host.paths.releases.glob("*.json")} <= state.known, where
    return state.current


@pytest.mark.parametrize("plan", PLANS)
def test_a_kill_at_any_journal_entry_ends_with_one_release_by_itself(
    plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever hostctl is killed, the watchdog alone brings the host to exactly one serving release without orphans."""
    for number in range(1, points(tmp_path, plan, monkeypatch) + 1):
        other = host_in(tmp_path / str(number), monkeypatch)
        where = killed(other, plan, number, monkeypatch)
        assert other.edge.serving(), where
        is_back = other.edge.serving() == {OLD} and other.host.state.current == NEW
        settle(other)
        served = assert_one_release(other, where)
        assert served == OLD or not is_back, where


@pytest.mark.parametrize("plan", PLANS)
def test_the_next_release_succeeds_after_a_kill_at_any_journal_entry(
    plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever hostctl is killed, a following release needs no help: no watchdog, no waiting."""
    for number in range(1, points(tmp_path, plan, monkeypatch) + 1):
        other = host_in(tmp_path / str(number), monkeypatch)
        where = killed(other, plan, number, monkeypatch)
        other.release(NEXT)
        assert assert_one_release(other, where) == NEXT


def test_a_first_release_that_is_killed_leaves_no_routes_of_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever hostctl is killed, the host serves the release by its own routes, or nothing and has nothing of it."""
    count = host_in(tmp_path / "count", monkeypatch)
    seen = kill_at(count, 10_000)
    rollout(count, GOOD[:-2])
    for number in range(1, len(seen) + 1):
        other = host_in(tmp_path / str(number), monkeypatch)
        where = kill_at(other, number)
        with contextlib.suppress(KilledError):
            rollout(other, GOOD[:-2])
        other.observer = None
        settle(other)
        state = other.host.state
        assert other.edge.routes_in_use() == "committed", where[-1]
        assert other.edge.serving() == {release for release in [state.current] if release}, where[-1]
        assert other.running() == {spec(release)["project"] for release in state.known}, where[-1]


@pytest.mark.parametrize("plan", PLANS)
def test_a_reboot_at_any_journal_entry_brings_the_committed_release_back(
    plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the host goes down, its restart policies and committed routes serve one release before any call."""
    for number in range(1, points(tmp_path, plan, monkeypatch) + 1):
        other = host_in(tmp_path / str(number), monkeypatch)
        where = killed(other, plan, number, monkeypatch)
        other.engine.reboot()
        other.edge.restart()
        other.clock.boot = "boot-2"
        assert len(other.edge.serving()) == 1, where
        other.call("status")
        settle(other)
        assert_one_release(other, where)


@pytest.mark.parametrize("number", range(1, 30, 4))
def test_the_same_call_again_goes_on_after_a_kill(
    number: int, monkeypatch: pytest.MonkeyPatch, world: FakeHost
) -> None:
    """A driver that calls every phase again after a kill gets the new release, or is told that the trial is over."""
    killed(world, "good", number, monkeypatch)
    try:
        rollout(world, GOOD)
    except HostctlError as error:
        assert error.code == "trial_over"  # noqa: PT017 - one of the two outcomes
        world.release(NEW)
    assert assert_one_release(world, str(number)) == NEW
