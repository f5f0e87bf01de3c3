from __future__ import annotations

import contextlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from infra.notify import outbox as outbox_module
from infra.notify.outbox import Outbox
from tests.support.notices import make_notice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.domain.notices.notice import Event
    from infra.notify.outbox import Letter


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """Return an outbox that is not there yet."""
    return Outbox(tmp_path / "outbox" / "local")


def test_a_letter_comes_back_as_it_was_put(outbox: Outbox) -> None:
    """The whole notice is in its file."""
    assert outbox.put(make_notice(lost_requests=2), "slack")
    (letter,) = outbox.letters("slack", "pending")
    assert letter.notice == make_notice(lost_requests=2)
    assert (letter.channel, letter.state, letter.attempts) == ("slack", "pending", 0)


def test_a_notice_is_kept_once_per_channel(outbox: Outbox) -> None:
    """The same notice again is refused, also after its delivery; another channel gets its own."""
    assert outbox.put(make_notice(), "slack")
    assert not outbox.put(make_notice(reason="again"), "slack")
    assert outbox.put(make_notice(), "teams")
    outbox.close(outbox.letters("slack", "pending")[0], "delivered", "", "now")
    assert not outbox.put(make_notice(), "slack")
    assert outbox.letters("slack", "pending") == []


def test_letters_are_in_the_order_of_their_notices(outbox: Outbox) -> None:
    """The oldest is first, whatever was put first."""
    for second in ("09", "07", "08"):
        outbox.put(make_notice(at=f"2026-03-04T05:06:{second}.000000Z", run_id=second), "slack")
    assert [letter.notice.run_id for letter in outbox.letters("slack", "pending")] == ["07", "08", "09"]


def test_a_failed_attempt_is_noted(outbox: Outbox) -> None:
    """Why it failed and what the receiver asked for outlive the process."""
    outbox.put(make_notice(), "slack")
    outbox.note(outbox.letters("slack", "pending")[0], "status 429", 1_800_000_000.0)
    (letter,) = outbox.letters("slack", "pending")
    assert (letter.last_error, letter.not_before) == ("status 429", 1_800_000_000.0)


def test_a_refused_letter_can_be_reopened(outbox: Outbox) -> None:
    """It waits again, without what went wrong before."""
    outbox.put(make_notice(), "slack")
    outbox.close(outbox.letters("slack", "pending")[0], "refused", "status 404", "now")
    (refused,) = outbox.letters("slack", "refused")
    assert (refused.last_error, refused.ended_at) == ("status 404", "now")
    outbox.reopen(refused)
    (letter,) = outbox.all_letters()
    assert (letter.state, letter.last_error, letter.ended_at) == ("pending", "", "")


def test_a_letter_in_two_states_is_in_the_later_one(outbox: Outbox) -> None:
    """A process that was killed while it moved a delivered letter does not make it be sent again."""
    outbox.put(make_notice(), "slack")
    (letter,) = outbox.letters("slack", "pending")
    text = letter.path.read_text(encoding="utf-8")
    outbox.close(letter, "delivered", "", "now")
    letter.path.write_text(text, encoding="utf-8")
    assert outbox.letters("slack", "pending") == []
    assert [letter.state for letter in outbox.all_letters()] == ["delivered"]


@pytest.mark.parametrize("text", ["", "{", '{"notice": {"event": "nothing"}}', '{"notice": {}, "extra": 1}'])
def test_a_damaged_file_is_put_aside(outbox: Outbox, text: str) -> None:
    """It neither stops the others nor is it lost."""
    outbox.put(make_notice(), "slack")
    outbox.put(make_notice(run_id="other"), "slack")
    damaged = outbox.letters("slack", "pending")[0].path
    damaged.write_text(text, encoding="utf-8")
    assert len(outbox.letters("slack", "pending")) == 1
    assert (outbox.folder / "slack" / "unreadable" / damaged.name).read_text(encoding="utf-8") == text


def test_the_newest_delivered_ones_are_kept(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox does not grow without end."""
    monkeypatch.setattr(outbox_module, "KEPT_DELIVERED", 2)
    for second in range(4):
        outbox.put(make_notice(at=f"2026-03-04T05:06:0{second}.000000Z", run_id=str(second)), "slack")
    for letter in outbox.letters("slack", "pending"):
        outbox.close(letter, "delivered", "", "now")
    assert [letter.notice.run_id for letter in outbox.all_letters()] == ["2", "3"]


def test_it_knows_whether_an_outcome_was_told(outbox: Outbox) -> None:
    """A start is no outcome, another run's outcome not this one's."""
    outbox.put(make_notice(event="started"), "slack")
    outbox.put(make_notice(event="failed", run_id="other"), "slack")
    assert not outbox.told("ci-7-1")
    outbox.put(make_notice(event="reverted"), "slack")
    assert outbox.told("ci-7-1")


def test_what_every_channel_refused_was_not_told(outbox: Outbox) -> None:
    """A notice that nobody got is no reason to be silent; one that another channel took is."""
    for name in ("slack", "teams"):
        outbox.put(make_notice(event="failed"), name)
    (slack,), (teams,) = (outbox.letters(name, "pending") for name in ("slack", "teams"))
    outbox.close(slack, "refused", "status 404", "now")
    assert (outbox.told("ci-7-1"), outbox.failure_told("ci-7-1")) == (True, True)
    outbox.close(teams, "refused", "status 404", "now")
    assert (outbox.told("ci-7-1"), outbox.failure_told("ci-7-1")) == (False, False)


@pytest.mark.parametrize(
    ("events", "is_known"),
    [
        ([], False),
        (["started"], False),
        (["succeeded"], False),
        (["rolled-back"], False),
        (["rolled-back", "rolled-back"], False),
        (["failed"], True),
        (["reverted"], True),
        (["failed", "succeeded"], False),
        (["succeeded", "rolled-back"], True),
        (["failed", "rolled-back"], True),
        (["succeeded", "rolled-back", "failed"], True),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else str(value),
)
def test_a_failure_is_known_when_it_was_the_last_word(outbox: Outbox, events: list[Event], is_known: bool) -> None:
    """A success or a rollback that stands alone says nothing of a failure after it; a rollback of a release does."""
    for second, event in enumerate(events):
        at = f"2026-03-04T05:06:{second:02}.000000Z"
        for name in ("slack", "teams"):
            outbox.put(make_notice(event=event, run_id=f"ci-7-1-{second}", at=at), name)
    assert outbox.failure_told("ci-7-1") is is_known


def test_processes_that_tell_the_same_at_once_tell_it_once(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks while another one writes waits for it, and finds its letter."""
    write, both = Outbox._write, threading.Barrier(2)

    def meet(self: Outbox, letter: Letter) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(timeout=0.2)
        write(self, letter)

    monkeypatch.setattr(Outbox, "_write", meet)
    notices = [make_notice(at=f"2026-03-04T05:06:0{second}.000000Z") for second in range(4)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        put = list(pool.map(lambda notice: outbox.put(notice, "slack"), notices))
    assert sorted(put) == [False, False, False, True]
    assert len(outbox.letters("slack", "pending")) == 1


def test_a_letter_that_moves_is_found(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same notice is not put again while its letter goes from one state to another."""
    outbox.put(make_notice(), "slack")
    (letter,) = outbox.letters("slack", "pending")
    glob, closing = Outbox._glob, threading.Thread(target=outbox.close, args=(letter, "delivered", "", "now"))

    def look_twice(self: Outbox, channel: str, state: str, pattern: str) -> Iterator[Path]:
        if state != "*":
            return glob(self, channel, state, pattern)
        found = [path for path in glob(self, channel, state, pattern) if path.parent.name != "pending"]
        closing.start()
        closing.join(timeout=0.2)
        return iter([*found, *glob(self, channel, "pending", pattern)])

    monkeypatch.setattr(Outbox, "_glob", look_twice)
    assert not outbox.put(make_notice(reason="again"), "slack")
    closing.join()


def test_an_outcome_of_one_update_is_one_of_its_ci_run(outbox: Outbox) -> None:
    """A second update of the same attempt has its own."""
    outbox.put(make_notice(event="failed", run_id="ci-7-1-a"), "slack")
    assert [outbox.told(run) for run in ("ci-7-1", "ci-7-1-a", "ci-7-1-b", "ci-7-12")] == [True, True, False, False]


def test_it_knows_an_outcome_that_nobody_was_told_of(outbox: Outbox) -> None:
    """A mark is of one run and release, is no letter and no channel, and tells the workflow nothing."""
    assert not outbox.has_outcome("ci-7-1", "v2-0")
    for _ in range(2):
        outbox.mark_outcome("ci-7-1", "v2-0")
    assert outbox.has_outcome("ci-7-1", "v2-0")
    assert not outbox.has_outcome("ci-7-1", "v1-0")
    assert not outbox.has_outcome("ci-7-2", "v2-0")
    assert (outbox.channels(), outbox.all_letters(), outbox.told("ci-7-1")) == ([], [], False)
    assert {path.stat().st_mode & 0o777 for path in outbox.folder.iterdir()} == {0o600}


def test_a_letter_says_that_there_was_an_outcome(outbox: Outbox) -> None:
    """Who was told of a run by somebody else is not told by the sender."""
    outbox.put(make_notice(event="failed", release=""), "slack")
    assert outbox.has_outcome("ci-7-1", "v2-0")


def test_the_newest_marks_are_kept(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is long over is not asked for; marking it again makes it a new one."""
    monkeypatch.setattr(outbox_module, "KEPT_MARKS", 2)
    for number, run in enumerate(["a", "b", "c", "a", "d"]):
        outbox.mark_outcome(run, "v1-0")
        os.utime(outbox.folder / f"outcome-{run}-v1-0", (number, number))
    assert [outbox.has_outcome(run, "v1-0") for run in "abcd"] == [True, False, False, True]


def test_one_at_a_time_holds_a_lock(outbox: Outbox) -> None:
    """Who comes second is told so at once; another lock is another matter."""
    with outbox.locked("slack-sending") as first, outbox.locked("slack-sending") as second:
        assert (first, second) == (True, False)
        with outbox.locked("teams-sending") as other:
            assert other
    with outbox.locked("slack-sending") as again:
        assert again
        assert outbox.is_locked("slack-sending")
    assert not outbox.is_locked("slack-sending")
    outbox.forget_lock("slack-sending")
    assert not outbox.is_locked("slack-sending")


def test_only_the_owner_can_read_it(outbox: Outbox) -> None:
    """The folder and each file are the user's alone, and nothing half-written stays."""
    outbox.put(make_notice(), "slack")
    (path,) = (outbox.folder / "slack" / "pending").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert outbox.folder.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text(encoding="utf-8"))["notice"]["stack"] == "production"
