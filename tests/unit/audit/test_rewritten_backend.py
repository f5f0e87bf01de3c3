from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.audit.events import evidence_of
from infra.audit.verification import verify
from infra.domain.anchor import Anchor, make_anchor
from infra.domain.chain import intent_of
from infra.domain.ledger import HISTORY_LENGTH
from tests.support.audit_world import AuditWorld

if TYPE_CHECKING:
    from pathlib import Path

V1, V2, V3 = "v1-00000000", "v2-00000001", "v3-00000002"


@pytest.fixture
def world(tmp_path: Path) -> AuditWorld:
    """Return a stack with two releases on two hosts."""
    world = AuditWorld.make(tmp_path)
    world.release("v1")
    world.release("v2")
    return world


def problems(world: AuditWorld) -> list[str]:
    """Return what an audit finds, in words."""
    return [str(problem) for problem in verify(world.history, world.record, world.ask).problems]


def remove(world: AuditWorld, key: str) -> None:
    """Remove an update's files."""
    for path in world.folder.glob(f"{key}.*"):
        path.unlink()


def write_record(world: AuditWorld, record: list[dict[str, Any]]) -> None:
    """Write a record into the stack's state and into the last checkpoint, which no anchor has the digest of yet."""
    world.record = record
    path = world.folder / f"{world.ids[-1]}.checkpoint.json"
    path.write_text(json.dumps(world.checkpoint()), encoding="utf-8")


def anchored_anew(world: AuditWorld, **changes: Any) -> list[dict[str, Any]]:
    """Return the record with anchors that fit the updates that are left; `changes` are made to each anchor."""
    evidence = evidence_of(world.history, world.history.updates())
    record: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    for entry in reversed(world.record):
        old = Anchor.from_entry(entry)
        assert old is not None
        anchor = make_anchor(
            before=before,
            since=[item for item in evidence if before.get("last", "") <= item.id <= old.last],
            backend=old.backend,
            release=old.release,
            run_id=old.run_id,
            intent=intent_of(entry),
        )
        before = anchor.to_json()
        record.insert(0, {**entry, "audit": {**before, "hosts": dict(old.hosts), **changes}})
    return record


class TestForged:
    """The backend alone is rewritten, so that it fits together; the hosts are as they were."""

    def test_anchors_that_were_taken_out_are_missed(self, world: AuditWorld) -> None:
        """Without anchors nothing in the backend tells of a removed failure or of another author; the hosts do."""
        key = world.fail()
        world.release("v3")
        remove(world, key)
        bare = [{name: value for name, value in entry.items() if name != "audit"} for entry in world.record]
        write_record(world, [{**entry, "who": "eve"} if entry["release"] == V2 else entry for entry in bare])
        assert problems(world) == [
            f"changed: the record of {release} ({run}): the anchor under which the hosts committed it is gone"
            for release, run in ((V1, "run-0"), (V2, "run-1"), (V3, "run-3"))
        ]

    def test_anchors_that_were_computed_anew_are_not_those_of_the_hosts(self, world: AuditWorld) -> None:
        """A removed failure changes every later head, whatever the record says of the hosts."""
        key = world.fail()
        world.release("v3")
        remove(world, key)
        write_record(world, anchored_anew(world, hosts={}))
        assert problems(world) == [
            f"changed: {V3} (run-3): the record and the journal of {host} have different anchors"
            for host in ("h1", "h2")
        ]

    @pytest.mark.parametrize(("key", "value"), [("count", 7), ("head", "0" * 64), ("intent", "0" * 64)])
    def test_each_part_of_an_anchor_is_compared(self, world: AuditWorld, key: str, value: str | int) -> None:
        """How many updates, which head, and what was to be released, also where the record names no place."""
        newest, *rest = world.record
        write_record(world, [{**newest, "audit": {**newest["audit"], "hosts": {}, key: value}}, *rest])
        text = f"changed: {V2} (run-1): the record and the journal of h1 have different anchors"
        assert text in problems(world)

    def test_another_author_under_an_intent_of_its_own_is_named(self, world: AuditWorld) -> None:
        """The hosts have the hash of what was to be released."""
        write_record(world, [{**entry, "who": "eve"} if entry["release"] == V1 else entry for entry in world.record])
        write_record(world, anchored_anew(world, hosts={}))
        assert problems(world) == [
            f"changed: {V1} (run-0): the record and the journal of {host} have different anchors"
            for host in ("h1", "h2")
        ]

    def test_another_author_is_named_although_the_release_was_recorded_again(self, world: AuditWorld) -> None:
        """A later run for the same release says nothing of the one before it, which has its own record."""
        world.release("v2", release=V2, serving=["h1", "h2"])
        write_record(
            world, [{**entry, "who": "eve"} if entry["run_id"] == "run-1" else entry for entry in world.record]
        )
        write_record(world, anchored_anew(world))
        assert problems(world) == [
            f"changed: {V2} (run-1): the record and the journal of {host} have different anchors"
            for host in ("h1", "h2")
        ]

    def test_a_rollback_that_was_removed_is_missed(self, world: AuditWorld) -> None:
        """The release that it went back to is in the record with the run that made it, not with this one."""
        key = world.release("v1", kind="rollback", release=V1)
        remove(world, key)
        write_record(world, world.record[1:])
        assert [text.partition(", which")[0] for text in problems(world)] == [f"removed: {V1} (run-2)"] * 2

    def test_a_removed_release_is_missed_although_it_came_back_later(self, world: AuditWorld) -> None:
        """Another release was committed in between: the second run is not what became of the first."""
        world.release("v3")
        world.release("v2", kind="rollback", release=V2)
        write_record(world, [entry for entry in world.record if entry["run_id"] != "run-1"])
        assert [text.partition(", which")[0] for text in problems(world)] == [f"removed: {V2} (run-1)"] * 2

    def test_a_record_under_another_run_is_not_the_one_that_was_committed(self, world: AuditWorld) -> None:
        """Nobody came to the hosts under the forged run."""
        write_record(
            world, [{**entry, "run_id": "run-7"} if entry["release"] == V1 else entry for entry in world.record]
        )
        assert f"removed: {V1} (run-0)" in {text.partition(", which")[0] for text in problems(world)}

    def test_a_run_that_came_for_another_release_explains_nothing(self, world: AuditWorld) -> None:
        """A forged entry has a later run's id, but the hosts say what that run came for."""
        (two, one) = world.record
        write_record(world, [two, {**one, "run_id": two["run_id"]}])
        assert f"removed: {V1} (run-0)" in {text.partition(", which")[0] for text in problems(world)}


class TestUnusual:
    """Histories with gaps that nobody made: nothing is found in them."""

    @pytest.mark.parametrize("run_id", ["run-killed", "run-2"])
    @pytest.mark.parametrize("committed", [["h1"], ["h1", "h2"]])
    def test_a_killed_run_is_settled_by_the_next_one(
        self, world: AuditWorld, committed: list[str], run_id: str
    ) -> None:
        """It was killed behind a commit; the next run, of the same CI run perhaps, finds it served and records it."""
        world.kill(V3, hosts=committed, run_id=run_id)
        world.kill(V3, run_id="run-killed-too")
        assert len(problems(world)) == len(committed)
        world.update("succeeded", kind="refresh")
        world.release("v3", release=V3, run_id="run-2", serving=committed)
        world.release("v4")
        assert problems(world) == []

    def test_a_killed_run_is_settled_when_hosts_commit_it_again(self, world: AuditWorld) -> None:
        """Where the call was cut off before the state was written, the next run commits once more."""
        world.kill(V3, hosts=["h1"], run_id="run-2")
        world.fail()
        world.release("v3", release=V3, run_id="run-2")
        assert problems(world) == []

    def test_a_commit_that_a_failed_update_took_back_is_in_no_record(self, world: AuditWorld) -> None:
        """One host had committed when another could not."""
        began = world.clock.moment
        world.kill(V3, hosts=["h1"])
        world.update("failed", began)
        assert problems(world) == []

    def test_one_ci_run_can_release_go_back_and_release_again(self, world: AuditWorld) -> None:
        """A release is not known by its run alone, nor is a run by its release."""
        world.release("v3", run_id="ci-7-1")
        world.release("v2", kind="rollback", release=V2, run_id="ci-7-1")
        world.release("v3", release=V3, run_id="ci-7-1")
        assert problems(world) == []

    def test_a_release_from_before_the_anchors_has_none(self, world: AuditWorld) -> None:
        """Nor do the hosts have one of it."""
        for host in world.hosts:
            host.paths.journal.unlink()
        world.record = [{name: value for name, value in entry.items() if name != "audit"} for entry in world.record]
        world.release("v3")
        assert problems(world) == []

    def test_a_host_that_came_later_or_was_passed_over_knows_less(self, world: AuditWorld) -> None:
        """A commit that a host was never asked for is not looked for in its journal."""
        late = world.hosts.pop()
        world.release("v3")
        world.hosts.append(late)
        world.release("v3", release=V3, serving=["h1"])
        world.release("v4")
        assert problems(world) == []

    def test_a_rotated_journal_knows_the_newer_commits(
        self, world: AuditWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was committed before its beginning is in the other hosts' journals, also a run that was killed."""
        monkeypatch.setattr("infra.hostctl.journal.LARGEST_BYTES", 2500)
        world.kill(V3, hosts=["h1"])
        world.release("v3", release=V3, serving=["h1"])
        for number in range(4, 9):
            world.release(f"v{number}")
        assert world.hosts[0].audit().first > 1
        assert problems(world) == []

    def test_a_stack_that_was_moved_has_a_full_record_only(self, world: AuditWorld, tmp_path: Path) -> None:
        """What it has no room for is in checkpoints that stayed where they were; a shorter one has lost something."""
        for number in range(HISTORY_LENGTH):
            world.release(f"v{number}")
        world.root = tmp_path / "other"
        world.release("v99")
        assert problems(world) == []
        write_record(world, world.record[:-1])
        assert len(problems(world)) == 2 * (len(world.hosts[0].audit().anchors) - len(world.record))
