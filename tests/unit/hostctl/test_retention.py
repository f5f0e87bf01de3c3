from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl import preflight, readiness
from infra.hostctl.errors import HostctlError
from infra.hostctl.resources import HostResources
from tests.unit.hostctl.fake_host import FakeHost
from tests.unit.hostctl.release_spec import IMAGE, spec

if TYPE_CHECKING:
    from pathlib import Path

GIBIBYTE = 1024**3
NEW_IMAGE = IMAGE.rpartition(":")[0] + ":" + "e" * 64
ANCHOR = {"count": 3, "head": "a" * 64, "intent": "b" * 64, "run_id": "ci-7-1"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Return a host with a current, a previous and four more parked releases."""
    monkeypatch.setattr(readiness, "probe", lambda *_: None)
    fake = FakeHost(tmp_path)
    for number in range(1, 7):
        fake.release(f"v{number}")
    return fake


def short_disk(world: FakeHost, monkeypatch: pytest.MonkeyPatch, *, enough_at: int) -> None:
    """Let the disk have room only once no more than `enough_at` releases are parked."""

    def read(_folder: str) -> HostResources:
        free = 100 * GIBIBYTE if len(world.host.state.parked) <= enough_at else 0
        return HostResources(
            memory_available_bytes=100 * GIBIBYTE, memory_total_bytes=100 * GIBIBYTE, disk_free_bytes=free, load_1m=0
        )

    monkeypatch.setattr(preflight, "read_resources", read)


def new_spec() -> dict[str, Any]:
    """Return a release whose image is not on the host."""
    document: dict[str, Any] = json.loads(json.dumps(spec("v7")).replace(IMAGE, NEW_IMAGE))
    return document


def new_release(world: FakeHost) -> dict[str, Any]:
    """Start it."""
    return world.start("v7", spec=new_spec())


def test_pruning_says_what_went_and_why(world: FakeHost) -> None:
    """The oldest beyond the number, with the reason in the answer and in the journal."""
    answer = world.call("prune", keep=3)
    assert (answer["removed"], answer["kept"]) == (["v1", "v2"], ["v3", "v4", "v5"])
    assert answer["reason"] == "older than the 3 that are kept"
    assert [e["reason"] for e in world.host.journal.tail(50) if (e["phase"], e["mark"]) == ("prune", "end")] == [
        "older than the 3 that are kept"
    ] * 2


def test_previous_and_pinned_are_never_pruned(world: FakeHost) -> None:
    """However few are kept."""
    assert world.call("prune", keep=1, pinned=["v1"])["kept"] == ["v1", "v5"]
    assert world.call("status")["pinned"] == ["v1"]


def test_pins_are_known_before_a_release_is_started(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is pinned does not make room either."""
    assert world.call("pin", pinned=["v1"]) == {"pinned": ["v1"]}
    short_disk(world, monkeypatch, enough_at=4)
    assert new_release(world)["removed"] == ["v2"]


def test_a_short_disk_prunes_the_oldest_first_and_says_so(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are needed, before anything is pulled."""
    short_disk(world, monkeypatch, enough_at=3)
    answer = world.call("preflight", spec=new_spec())
    (disk,) = [check for check in answer["checks"] if check["name"] == "disk"]
    assert disk["ok"]
    assert "parked releases go first, from v1 on" in disk["note"]
    assert new_release(world)["removed"] == ["v1", "v2"]
    assert "start: the disk is short of room: removing the parked release v1" in world.progress


def test_a_short_disk_never_takes_the_release_that_is_asked_for(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others go in its place, and it comes back warm; the preflight names none but those."""
    short_disk(world, monkeypatch, enough_at=3)
    (disk,) = [check for check in world.call("preflight", spec=spec("v1"))["checks"] if check["name"] == "disk"]
    assert "from v2 on, as many as are needed of 3" in disk["note"]
    pulls = len(world.engine.pulls)
    assert world.start("v1")["warm"] is True
    assert len(world.engine.pulls) == pulls
    assert world.host.state.parked == ("v4", "v5")


def test_a_disk_that_has_nothing_else_to_give_keeps_the_release_that_is_asked_for(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the preflight nor the start counts on it."""
    short_disk(world, monkeypatch, enough_at=-1)
    world.call("prune", keep=2)
    assert world.host.state.parked == ("v4", "v5")
    (disk,) = [check for check in world.call("preflight", spec=spec("v4"))["checks"] if check["name"] == "disk"]
    assert not disk["ok"]
    with pytest.raises(HostctlError, match="disk"):
        world.start("v4")
    assert world.host.state.parked == ("v4", "v5")


def test_a_disk_that_stays_short_is_an_error(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that may go is gone, current and previous are not."""
    short_disk(world, monkeypatch, enough_at=-1)
    with pytest.raises(HostctlError) as caught:
        new_release(world)
    assert caught.value.code == "insufficient_disk"
    assert world.host.state.parked == ("v5",)
    assert world.host.state.current == "v6"


class TestAnchor:
    """The head of the audit chain on a host."""

    def test_a_commit_keeps_it_in_state_and_journal(self, world: FakeHost) -> None:
        """`status` shows it, and the journal has it before the commit."""
        world.start("v7")
        world.call("cutover", release="v7")
        committed = world.call("commit", release="v7", anchor=ANCHOR)
        assert world.call("status")["anchor"] == ANCHOR
        found = world.call("audit", positions=[committed["journal"]["seq"]])
        (row,) = found["anchors"]
        assert (row["release"], row["anchor"]) == ("v7", ANCHOR)
        assert found["positions"] == {str(committed["journal"]["seq"]): committed["journal"]["hash"]}
        assert found["problems"] == []

    def test_a_later_commit_without_one_keeps_the_last(self, world: FakeHost) -> None:
        """A host's own return to the release before is no new anchor."""
        world.start("v7")
        world.call("cutover", release="v7")
        world.call("commit", release="v7", anchor=ANCHOR)
        world.call("revert", release="v7", reason="bad")
        assert world.call("status")["anchor"] == ANCHOR

    @pytest.mark.parametrize("change", [{"head": "x"}, {"intent": None}, {"run_id": "a b"}, {"more": 1}])
    def test_what_is_none_is_refused(self, world: FakeHost, change: dict[str, Any]) -> None:
        """Every field is checked."""
        with pytest.raises(HostctlError) as caught:
            world.call("commit", release="v6", anchor={**ANCHOR, **change})
        assert caught.value.code == "bad_request"


class TestAudit:
    """What a host says of its journal."""

    def test_a_trial_that_the_host_ended_itself_is_a_revert(self, world: FakeHost) -> None:
        """With release and reason; a revert that was asked for is none."""
        world.start("v7")
        world.call("revert", release="v7", reason="asked for")
        assert world.call("audit")["reverts"] == []
        world.start("v8")
        world.start("v9")
        (revert,) = world.call("audit")["reverts"]
        assert revert["release"] == "v8"
        assert "another release was asked for" in revert["reason"]

    def test_whoever_came_to_release_is_known(self, world: FakeHost) -> None:
        """Holder and purpose of every lease."""
        world.call("lease", action="acquire", holder="ci-7", purpose="release v7 by ann@ci")
        (row,) = world.call("audit")["leases"]
        assert (row["holder"], row["purpose"]) == ("ci-7", "release v7 by ann@ci")


def test_a_kept_release_can_wait_for_the_rollout(world: FakeHost) -> None:
    """Nothing is changed for it; one that is not kept is started."""
    assert world.start("v4", later_if_kept=True) == {"release": "v4", "phase": "kept", "changed": False}
    assert "v4" in world.host.state.parked
    assert world.host.state.trial is None
    assert world.start("v7", later_if_kept=True)["phase"] == "ready"


def test_a_parked_release_comes_back_warm_and_says_so(world: FakeHost) -> None:
    """Its own containers; also after the commit, should the driver ask again."""
    pulled = len(world.engine.pulls)
    assert world.start("v4")["warm"] is True
    world.call("cutover", release="v4")
    world.call("commit", release="v4")
    assert world.start("v4")["warm"] is True
    assert len(world.engine.pulls) == pulled
    assert world.start("v7")["warm"] is False


def test_a_parked_release_that_runs_is_stopped_by_the_next_start(world: FakeHost) -> None:
    """Its workers would take tasks beside those of what serves; it stays parked, and does not come back by itself."""
    for item in world.engine.containers("acp-v3"):
        world.engine.change(item.name, state="running", restart_policy="unless-stopped")
    world.start("v7")
    assert world.running() == {"acp-v6", "acp-v7"}
    assert {item.restart_policy for item in world.engine.containers("acp-v3")} == {"no"}
    assert "v3" in world.host.state.parked
