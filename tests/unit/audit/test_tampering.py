from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.audit.verification import Verified, verify
from infra.domain.anchor import MOST_ENTRIES
from tests.support.audit_world import STACK, AuditWorld

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> AuditWorld:
    """Return a stack with seven updates: releases, a failure and a refresh, on two hosts."""
    world = AuditWorld.make(tmp_path)
    for version in ("v1", "v2", "v3"):
        world.release(version)
    world.fail()
    world.update("succeeded", kind="refresh")
    world.release("v4")
    world.release("v5")
    return world


def audit(world: AuditWorld) -> Verified:
    """Return what an audit finds."""
    return verify(world.history, world.record, world.ask)


def findings(world: AuditWorld) -> set[tuple[str, str]]:
    """Return what was found of which entry."""
    return {(problem.finding, problem.entry) for problem in audit(world).problems}


def test_an_untouched_history_is_whole(world: AuditWorld) -> None:
    """Nothing is found, every release left an anchor, and only the last update waits for one."""
    found = audit(world)
    assert found.problems == ()
    assert (found.updates, found.anchors) == (7, 5)
    assert found.notes == ("1 updates since the last anchor; the next release anchors them",)


def test_a_changed_checkpoint_is_named(world: AuditWorld) -> None:
    """One byte of one checkpoint."""
    key = world.ids[1]
    path = world.folder / f"{key}.checkpoint.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"version": 3', '"version": 4'), encoding="utf-8")
    assert findings(world) == {("changed", key)}
    assert f"{key}: its checkpoint is another one" in str(audit(world).problems[0])


def test_a_changed_document_is_named(world: AuditWorld) -> None:
    """A failure made into a success."""
    key = world.ids[3]
    path = world.folder / f"{key}.history.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"failed"', '"succeeded"'), encoding="utf-8")
    assert findings(world) >= {("changed", key)}
    assert "its document is another one" in str(audit(world).problems[0])


def test_a_document_that_is_no_json_is_named(world: AuditWorld) -> None:
    """A damaged file does not keep the audit from its work."""
    key = world.ids[2]
    (world.folder / f"{key}.history.json").write_text("{", encoding="utf-8")
    assert ("changed", key) in findings(world)


def test_a_deleted_update_is_named(world: AuditWorld) -> None:
    """Both files of one update."""
    key = world.ids[2]
    for path in world.folder.glob(f"{key}.*"):
        path.unlink()
    assert findings(world) == {("removed", key)}


def test_a_deleted_checkpoint_is_named(world: AuditWorld) -> None:
    """Only the state of one update."""
    key = world.ids[2]
    (world.folder / f"{key}.checkpoint.json").unlink()
    assert findings(world) == {("changed", key)}
    assert "its checkpoint is gone" in str(audit(world).problems[0])


def test_two_exchanged_updates_are_named(world: AuditWorld) -> None:
    """The files of two updates under each other's names."""
    one, other = world.ids[1], world.ids[2]
    for kind in ("history", "checkpoint"):
        first, second = (world.folder / f"{key}.{kind}.json" for key in (one, other))
        kept = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(kept)
    assert findings(world) == {("reordered", one)}
    assert f"{one} has the content of {other}" in str(audit(world).problems[0])


def test_a_forged_update_is_named(world: AuditWorld) -> None:
    """An update between two real ones."""
    key = f"{STACK}-{int(world.ids[2].rpartition('-')[2]) + 7}"
    for kind in ("history", "checkpoint"):
        (world.folder / f"{key}.{kind}.json").write_bytes((world.folder / f"{world.ids[2]}.{kind}.json").read_bytes())
    assert findings(world) == {("invented", key)}


def test_a_record_that_was_rewritten_is_named(world: AuditWorld) -> None:
    """The author of a release changed in the state: its intent was anchored, and the last checkpoint has another."""
    world.record = [{**entry, "who": "eve"} if entry["version"] == "v2" else entry for entry in world.record]
    found = audit(world).problems
    assert [problem.where for problem in found] == ["state", "record"]
    assert "not the release, author or document that was anchored" in str(found[1])


def test_a_history_that_was_made_unreadable_is_named(world: AuditWorld) -> None:
    """The packed history of the last checkpoint is cut short; what came before it is verified all the same."""
    path = world.folder / f"{world.ids[-1]}.checkpoint.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    outputs = state["checkpoint"]["latest"]["resources"][1]["outputs"]
    outputs["history"] = outputs["history"][:-8]
    path.write_text(json.dumps(state), encoding="utf-8")
    for record in (world.record, []):
        found = verify(world.history, record, world.ask)
        assert found.updates == len(world.ids)
        assert [problem.where for problem in found.problems][:1] == ["state"]


def test_an_anchor_that_was_rewritten_is_named(world: AuditWorld) -> None:
    """A changed head fits neither the updates nor the hosts."""
    record = json.loads(json.dumps(world.record))
    record[1]["audit"]["head"] = "0" * 64
    world.record = record
    texts = [problem.text for problem in audit(world).problems]
    assert any("does not fit the updates it names" in text for text in texts)
    assert any("the record and the journal of h1 have different anchors" in text for text in texts)


def test_a_release_taken_off_the_record_is_named_by_the_hosts(world: AuditWorld) -> None:
    """Update and record of the last release are gone from the backend; the hosts committed it all the same."""
    for path in world.folder.glob(f"{world.ids[-1]}.*"):
        path.unlink()
    gone = world.record.pop(0)["release"]
    assert findings(world) == {("removed", gone)}


def test_a_removed_last_update_is_named_by_the_next_release(world: AuditWorld) -> None:
    """The anchor before ends with an update that is not there any more."""
    for path in world.folder.glob(f"{world.ids[-2]}.*"):
        path.unlink()
    key = world.record[0]["audit"]["last"]
    world.release("v6")
    assert ("removed", key) in findings(world)


def test_a_stack_that_was_destroyed_and_made_anew_is_whole(world: AuditWorld) -> None:
    """Its first release anchors everything again, and what is changed before it is found as before."""
    world.record = []
    world.update("succeeded", kind="destroy")
    world.release("v6")
    world.release("v7")
    found = audit(world)
    assert found.problems == ()
    assert found.anchors == 7
    key = world.ids[1]
    (world.folder / f"{key}.checkpoint.json").unlink()
    assert findings(world) == {("changed", key)}


def test_a_history_longer_than_an_anchor_names_is_still_covered(tmp_path: Path) -> None:
    """What is before the names is counted and hashed: a change there is found, without a name."""
    world = AuditWorld.make(tmp_path, hosts=[])
    for _ in range(MOST_ENTRIES + 3):
        world.update("succeeded", kind="refresh")
    world.release("v1")
    world.release("v2")
    assert audit(world).problems == ()
    path = world.folder / f"{world.ids[1]}.checkpoint.json"
    kept = path.read_bytes()
    path.write_bytes(kept + b" ")
    assert "one of the 3 updates before" in str(audit(world).problems[0])
    path.write_bytes(kept)
    for file in world.folder.glob(f"{world.ids[0]}.*"):
        file.unlink()
    assert "1 of the 3 updates before" in str(audit(world).problems[0])


class TestJournal:
    """A host's own journal."""

    def test_a_changed_entry_is_named(self, world: AuditWorld) -> None:
        """The chain breaks at that entry."""
        host = world.hosts[0]
        host.write([line.replace("ann@desk", "eve@desk") if '"seq": 1,' in line else line for line in host.lines()])
        (problem, *_) = audit(world).problems
        assert (problem.finding, problem.where) == ("changed", "h1")
        assert "entry 1 (" in problem.text

    def test_a_removed_entry_is_named(self, world: AuditWorld) -> None:
        """A gap in the numbers."""
        host = world.hosts[0]
        lines = host.lines()
        host.write([*lines[:4], *lines[5:]])
        assert any("there is no entry 5: removed" in problem.text for problem in audit(world).problems)

    def test_two_exchanged_entries_are_named(self, world: AuditWorld) -> None:
        """Numbers that go back."""
        host = world.hosts[0]
        lines = host.lines()
        host.write([*lines[:4], lines[5], lines[4], *lines[6:]])
        assert any("moved or put in" in problem.text for problem in audit(world).problems)

    def test_an_invented_entry_is_named(self, world: AuditWorld) -> None:
        """A line without a hash."""
        host = world.hosts[0]
        host.write([*host.lines(), json.dumps({"at": world.clock.now(), "phase": "commit", "step": "state"})])
        assert any("has no hash: it was put in" in problem.text for problem in audit(world).problems)

    def test_a_beginning_that_was_cut_off_is_named(self, world: AuditWorld) -> None:
        """What is left is whole in itself, but does not begin with the first entry."""
        host = world.hosts[0]
        host.write(host.lines()[3:])
        assert any(problem.text == "journal of h1: the first 3 entries" for problem in audit(world).problems)

    def test_a_journal_that_was_chained_anew_is_named(self, world: AuditWorld) -> None:
        """Whoever recomputes every hash is told by the record, which has one of each commit."""
        host = world.hosts[0]
        entries = [json.loads(line) for line in host.lines()]
        host.paths.journal.unlink()
        for entry in entries:
            rest = {key: value for key, value in entry.items() if key not in {"at", "phase", "step", "mark"}}
            told = {key: value for key, value in rest.items() if key not in {"seq", "hash"}}
            if told.get("purpose"):
                told["purpose"] = "release v1-0 by eve@desk"
            host.journal.note(entry["phase"], entry["step"], **told)
        assert host.is_whole()
        assert any("the record has its hash" in problem.text for problem in audit(world).problems)

    def test_a_host_that_was_set_up_anew_is_a_note(self, world: AuditWorld) -> None:
        """A new machine has no journal of what was before it; what it has seen itself is verified."""
        host = world.hosts[0]
        host.paths.journal.unlink()
        host.journal.note("install", "installed")
        world.release("v6")
        found = audit(world)
        assert found.problems == ()
        assert any(note.startswith("h1 was set up anew at ") and "5 releases" in note for note in found.notes)

    def test_a_host_that_does_not_answer_is_a_note(self, world: AuditWorld) -> None:
        """What could not be looked at is said, and is no finding."""
        found = verify(
            world.history, world.record, lambda _: [type(world.hosts[0].audit())(host="h1", problem="not reachable")]
        )
        assert found.problems == ()
        assert "h1 was not asked: not reachable" in found.notes
