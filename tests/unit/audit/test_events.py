from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from infra.audit import events as events_module
from infra.audit.entries import recorded
from infra.audit.events import build_events, read_events
from infra.audit.export import as_csv, as_json_lines, envelope, pre_authentication, statement
from infra.audit.hosts import HostAudit
from infra.domain.chain import Evidence, chain
from infra.domain.history import Event
from infra.domain.ledger import BULKY, HISTORY_LENGTH, WHOLE_ENTRIES, push
from tests.support.audit_world import STACK, AuditWorld

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> AuditWorld:
    """Return a stack with a set-up, two releases, a failure and a rollback."""
    world = AuditWorld.make(tmp_path, hosts=["h1"])
    world.update("succeeded")
    world.release("v1")
    world.release("v2")
    world.fail()
    world.release("v1", kind="rollback")
    return world


def events(world: AuditWorld, *, is_chained: bool = False) -> list[Event]:
    """Return what happened to the stack."""
    return build_events(STACK, world.history, world.record, world.ask({}), is_chained=is_chained)


def test_every_update_is_an_event_in_order(world: AuditWorld) -> None:
    """Set-up, releases, a failure, a rollback; the host's own revert stands where it happened."""
    shown = [(event.kind, event.outcome, event.version) for event in events(world)]
    assert shown == [
        ("other", "succeeded", ""),
        ("release", "succeeded", "v1"),
        ("release", "succeeded", "v2"),
        ("revert", "succeeded", "v9"),
        ("release", "failed", "v9"),
        ("rollback", "succeeded", "v1"),
    ]


def test_a_release_says_who_what_and_how_it_was_judged(world: AuditWorld) -> None:
    """From the record: author, run, what it replaced, verdicts."""
    event = events(world)[2]
    assert (event.who, event.run_id, event.replaced) == ("ann", "run-2", events(world)[1].release)
    assert event.verdicts == {"checks": {"passed": 8, "failed": 0}}
    assert event.started_at < event.ended_at
    assert event.reached_hosts


def test_a_failed_update_says_what_was_tried_by_whom_and_why_it_ended(world: AuditWorld) -> None:
    """From the hosts' journals, since nothing of it is in the record."""
    event = events(world)[4]
    assert (event.release, event.who, event.reason, event.reached_hosts) == ("v9-0", "bob", "crash_loop", True)
    assert event.commit == "c0ffee"
    assert event.branch == "main"


def test_a_rollback_is_linked_to_what_it_undid(world: AuditWorld) -> None:
    """The release that served before it."""
    event = events(world)[-1]
    assert event.undoes == event.replaced == events(world)[2].release


def test_a_hosts_own_revert_is_an_event_with_its_place_in_the_journal(world: AuditWorld) -> None:
    """Which host, which release, why, and the hash in that host's chain."""
    event = events(world)[3]
    assert (event.host, event.undoes, event.reason) == ("h1", "v9-0", "crash_loop")
    assert len(event.hash) == len(event.previous_hash) == 64


def test_the_chain_can_be_computed_from_the_events_alone(world: AuditWorld) -> None:
    """Ids and digests of the updates give the hashes."""
    updates = [event for event in events(world, is_chained=True) if event.kind != "revert"]
    evidence = [
        Evidence(id=event.id, document=event.document_sha256, checkpoint=event.checkpoint_sha256) for event in updates
    ]
    assert [link.hash for link in chain(evidence)] == [event.hash for event in updates]
    assert updates[0].previous_hash == ""


def test_releases_that_left_the_record_are_found_in_older_checkpoints(tmp_path: Path) -> None:
    """A history longer than the record is put together from a few checkpoints."""
    world = AuditWorld.make(tmp_path, hosts=[])
    for number in range(2 * HISTORY_LENGTH + 5):
        world.release(f"v{number}")
    read: list[str] = []

    class Counting(type(world.history)):  # type: ignore[misc]
        def checkpoint(self, update: object) -> bytes:
            read.append(update.id)  # type: ignore[attr-defined]
            return super().checkpoint(update)  # type: ignore[no-any-return]

    history = Counting(store=world.history.store, folder=world.history.folder)
    updates = history.updates()
    found = recorded(history, updates, world.record)
    assert [found.by_update[update.id]["version"] for update in updates] == [f"v{n}" for n in range(len(updates))]
    assert len(found.entries) == len(updates)
    assert len(read) == 2


def test_the_record_keeps_what_a_rollback_needs_and_little_more() -> None:
    """The newest entries are whole; of older ones the bulk is left out; the oldest go."""
    bulk = dict.fromkeys(BULKY, "much")
    history: list[dict[str, object]] = []
    for number in range(HISTORY_LENGTH + 3):
        history = push(history, {"release": f"v{number}", "spec": {"a": 1}, **bulk})
    assert len(history) == HISTORY_LENGTH
    assert history[0]["release"] == f"v{HISTORY_LENGTH + 2}"
    assert all(bulk.items() <= entry.items() for entry in history[:WHOLE_ENTRIES])
    assert all(set(entry) == {"release", "spec"} for entry in history[WHOLE_ENTRIES:])


def test_json_lines_have_every_field_of_every_event(world: AuditWorld) -> None:
    """One object per line, the oldest first."""
    lines = as_json_lines(events(world)).splitlines()
    assert [json.loads(line) for line in lines] == [asdict(event) for event in events(world)]


def test_csv_has_a_row_per_event_and_no_formula(world: AuditWorld) -> None:
    """What a spreadsheet would run is text."""
    rows = list(csv.DictReader(io.StringIO(as_csv([*events(world), bad_event()]))))
    assert [row["kind"] for row in rows[:2]] == ["other", "release"]
    assert rows[-1]["who"] == "'=cmd()"


def bad_event() -> Event:
    """Return an event whose author is a formula."""
    return Event(id="x", kind="other", outcome="failed", stack=STACK, started_at="", ended_at="", who="=cmd()")


def test_the_attestation_is_about_the_images_that_serve(world: AuditWorld) -> None:
    """Subjects are digests, the predicate is the history with the chain's head; the envelope is DSSE's."""
    found = events(world, is_chained=True)
    document = statement(STACK, found, {"acp-ingest": "registry.test/acp/acp-ingest@sha256:" + "a" * 64})
    assert document["subject"] == [{"name": "registry.test/acp/acp-ingest", "digest": {"sha256": "a" * 64}}]
    assert document["predicate"]["head"] == found[-1].hash
    signed: list[bytes] = []

    def sign(content: bytes) -> tuple[str, bytes]:
        signed.append(content)
        return "SHA256:key", b"signature"

    sealed = envelope(document, sign)
    assert sealed["payloadType"] == "application/vnd.in-toto+json"
    assert signed[0].startswith(b"DSSEv1 28 application/vnd.in-toto+json ")
    assert pre_authentication(b"ab") == b"DSSEv1 28 application/vnd.in-toto+json 2 ab"


def test_a_host_that_does_not_answer_is_named(world: AuditWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it did is not in the list, and that is not hidden."""
    silent = HostAudit(host="h2", problem="h2 is not reachable")
    monkeypatch.setattr(events_module, "open_history", lambda *_: world.history)
    monkeypatch.setattr(events_module, "stack_outputs", lambda _stack: {"history": world.record})
    monkeypatch.setattr(events_module, "ask_hosts", lambda _clients: [*world.ask({}), silent])
    read = read_events(STACK)
    assert read.events == events(world)
    assert read.unasked == ("h2 was not asked: h2 is not reachable",)
    assert statement(STACK, read.events, {}, read.unasked)["predicate"]["unasked"] == list(read.unasked)


def test_what_pulumi_did_is_told(world: AuditWorld) -> None:
    """A destroy is no set-up."""
    world.update("succeeded", kind="destroy")
    assert [event.operation for event in events(world)] == [
        "update",
        "update",
        "update",
        "",
        "update",
        "update",
        "destroy",
    ]
