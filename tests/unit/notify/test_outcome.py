"""From an update's hooks to what the sender beside it delivers, for channels that want some outcomes only."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from infra.components import notifications
from infra.components.notifications import announce_start, announce_success, failure_announced
from infra.domain.text_form import to_text
from infra.errors import RolloutError
from infra.notify import __main__ as process
from infra.notify import aftermath, announce, sender
from infra.notify.outbox import Outbox
from tests.support.fake_hostctl import make_stage
from tests.support.notices import channel, notifying

if TYPE_CHECKING:
    from pathlib import Path

    from infra.domain.notices.notice import Notice

RELEASE, BEFORE = "v2-1a2b3c4d", "v1-00000000"
BAD = ["failed", "reverted"]
NO_ROLLBACKS = ["succeeded", "failed", "reverted"]


class Update:
    """One update of a stack with one channel: its hooks, then the sender beside it when its engine has ended."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the hosts serve the release, the sender wait for nothing, and what is sent be kept."""
        self.outbox = Outbox(folder)
        self.sent: list[tuple[str, str]] = []
        self._patch = monkeypatch
        stage = make_stage()
        stage.answer("status", {"serving": RELEASE, "candidate": None, "last_trial": None})
        monkeypatch.setattr(aftermath, "host_clients", lambda _settings: stage.context.group.clients)
        for module in (announce, notifications, process):
            monkeypatch.setattr(module.Outbox, "of", lambda _stack: self.outbox)
        monkeypatch.setattr(notifications, "start_sender", lambda *_: None)
        monkeypatch.setattr(process, "new_client", nullcontext)
        monkeypatch.setattr(process, "Transport", lambda *_: self)
        monkeypatch.setattr(sender, "POLL_SECONDS", 0.001)
        monkeypatch.setattr(os, "nice", lambda _by: 0)

    def deliver(self, notice: Notice, name: str) -> None:
        """Take a notice."""
        self.sent.append((name, notice.event))

    def props(self, events: list[str], rollback_to: str | None = None) -> dict[str, Any]:
        """Return the inputs of the rollout's resources, for a channel that wants `events`."""
        settings = notifying(channel("pagerduty", events=events)).model_copy(update={"rollback_to": rollback_to})
        self._patch.setattr(process, "load_stack_file", lambda *_: settings)
        return {"release": RELEASE, "run_id": "run-2", "settings": to_text(settings.model_dump(mode="json"))}

    def end(self) -> list[str]:
        """Let the sender do its work behind the update's end and return the events that were sent."""
        self._patch.setattr(sys, "argv", ["infra.notify", "local", "--run", "run-2", "--release", RELEASE])
        process.main()
        return [event for _, event in self.sent]


@pytest.fixture
def update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Update:
    """Return an update whose letters are in a folder of its own."""
    return Update(tmp_path / "outbox", monkeypatch)


@pytest.mark.parametrize(
    ("events", "rollback_to"),
    [
        pytest.param(BAD, None, id="a release where only bad ones are told"),
        pytest.param(NO_ROLLBACKS, RELEASE, id="a rollback where releases are told"),
    ],
)
def test_a_good_update_that_nobody_wants_to_know_of_is_no_failure(
    update: Update, events: list[str], rollback_to: str | None
) -> None:
    """The sender knows of the outcome, and does not ask the hosts for another."""
    props = update.props(events, rollback_to)
    announce_start(props)
    announce_success(props, {})
    assert update.end() == []


def test_a_bad_update_is_told_once(update: Update) -> None:
    """By the update, with its reason; the sender has nothing to add."""
    props = update.props(BAD)
    announce_start(props)
    with pytest.raises(RolloutError), failure_announced(props):
        raise RolloutError("long story", reason="checks failed", restored=BEFORE)
    assert update.end() == ["reverted"]


def test_an_update_that_ended_without_a_word_is_told(update: Update) -> None:
    """An outcome of another release in the same CI run, or of another run, is not this one's."""
    announce_start(update.props(BAD))
    update.outbox.mark_outcome("run-2", BEFORE)
    update.outbox.mark_outcome("run-1", RELEASE)
    assert update.end() == ["failed"]
