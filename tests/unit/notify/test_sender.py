from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from infra.notify.delivery import DelayedError, RefusedError
from infra.notify.outbox import Outbox
from infra.notify.sender import Sender
from tests.support.notices import make_notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from infra.domain.notices.notice import Notice


class Receivers:
    """Stands for all channels: each answers with what it was told to, then takes everything."""

    def __init__(self) -> None:
        """Take everything at first."""
        self.answers: dict[str, list[Exception]] = defaultdict(list)
        self.got: list[tuple[str, str]] = []
        self.lock = threading.Lock()

    def deliver(self, notice: Notice, name: str) -> None:
        """Raise the next answer, or keep the notice's run."""
        with self.lock:
            if self.answers[name]:
                raise self.answers[name].pop(0)
            self.got.append((name, notice.run_id))


class Stand:
    """An outbox, its receivers, and pauses that are noted and not made."""

    def __init__(self, folder: Path) -> None:
        """Begin with an empty outbox."""
        self.outbox = Outbox(folder)
        self.receivers = Receivers()
        self.pauses: list[float] = []

    def put(self, channel: str, *runs: str) -> None:
        """Put a notice of each run, one second after the other."""
        for number, run in enumerate(runs):
            self.outbox.put(make_notice(run_id=run, at=f"2026-03-04T05:06:0{number}.000000Z"), channel)

    def send(self, *, patience_seconds: float = 3600, channels: Sequence[str] = ()) -> None:
        """Send until all is delivered or the time is over."""
        transport: Any = self.receivers
        sender = Sender(self.outbox, transport, pause=self.pauses.append)
        sender.end_by(time.monotonic() + patience_seconds)
        sender.run(channels)

    def states(self) -> list[tuple[str, str, int, str]]:
        """Return run, state, attempts and last error of every letter."""
        return [(x.notice.run_id, x.state, x.attempts, x.last_error) for x in self.outbox.all_letters()]


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    """Return a stand."""
    return Stand(tmp_path)


def test_everything_is_delivered_in_order(stand: Stand) -> None:
    """Each channel gets its notices once, the oldest first."""
    stand.put("slack", "a", "b", "c")
    stand.put("teams", "a")
    stand.send()
    assert [run for name, run in stand.receivers.got if name == "slack"] == ["a", "b", "c"]
    assert ("teams", "a") in stand.receivers.got
    assert {state for _, state, _, _ in stand.states()} == {"delivered"}
    stand.send()
    assert len(stand.receivers.got) == 4


def test_an_error_that_passes_is_tried_again_with_growing_pauses(stand: Stand) -> None:
    """Attempts go on until one succeeds, and each pause is longer."""
    stand.put("slack", "a")
    stand.receivers.answers["slack"] = [DelayedError("status 500")] * 4
    stand.send()
    assert stand.states() == [("a", "delivered", 5, "")]
    assert sum(stand.pauses) > 1 + 2 + 4 + 8


def test_a_wanted_pause_is_kept(stand: Stand) -> None:
    """A receiver that asks for 90 s gets no second request before."""
    stand.put("slack", "a")
    stand.receivers.answers["slack"] = [DelayedError("status 429", 90)]
    stand.send()
    assert sum(stand.pauses) == 90


def test_a_wanted_pause_is_kept_by_the_next_process(stand: Stand) -> None:
    """What a receiver asked for holds for whoever sends next."""
    stand.put("slack", "a")
    stand.receivers.answers["slack"] = [DelayedError("status 429", 90)]
    stand.send(patience_seconds=1)
    assert stand.states() == [("a", "pending", 1, "status 429")]
    stand.pauses.clear()
    stand.send(patience_seconds=1)
    assert stand.pauses == [], "there is no time to wait for it"
    assert stand.receivers.got == []
    stand.send()
    assert 85 < sum(stand.pauses) <= 90
    assert stand.receivers.got == [("slack", "a")]


def test_what_cannot_be_delivered_in_time_is_kept_in_order(stand: Stand) -> None:
    """When the time is over the letter waits, and no later one of its channel overtakes it."""
    stand.put("slack", "a", "b")
    stand.put("teams", "c")
    stand.receivers.answers["slack"] = [DelayedError("status 503")] * 50
    stand.send(patience_seconds=2)
    states = {run: state for run, state, _, _ in stand.states()}
    assert states == {"a": "pending", "b": "pending", "c": "delivered"}
    stand.receivers.answers.clear()
    stand.send()
    assert stand.receivers.got == [("teams", "c"), ("slack", "a"), ("slack", "b")]


def test_a_letter_that_waits_is_not_overtaken(stand: Stand) -> None:
    """A recovery is not told before the failure it ends, even when the receiver would take it by now."""
    stand.put("pagerduty", "failure", "recovery")
    stand.receivers.answers["pagerduty"] = [DelayedError("status 429", 3600)]
    stand.send(patience_seconds=2)
    assert stand.receivers.got == []


@pytest.mark.parametrize(
    ("error", "said"),
    [(RefusedError("status 404: no_team"), "status 404: no_team"), (KeyError("s3cr3t"), "unexpected KeyError")],
)
def test_a_refused_letter_does_not_hold_the_others_up(stand: Stand, error: Exception, said: str) -> None:
    """What will never be taken is put aside with the reason; an unexpected error's text is not kept."""
    stand.put("slack", "a", "b")
    stand.receivers.answers["slack"] = [error]
    stand.send()
    assert stand.states() == [("a", "refused", 1, said), ("b", "delivered", 1, "")]


def test_two_senders_deliver_once(stand: Stand) -> None:
    """Side by side they do not send the same letter twice."""
    stand.put("slack", *(str(number) for number in range(8)))
    threads = [threading.Thread(target=stand.send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stand.receivers.got) == [("slack", str(number)) for number in range(8)]


def test_what_comes_while_it_sends_is_sent_too(stand: Stand) -> None:
    """Until it is told to end, a sender takes what is put; a channel that is down delays no other."""
    transport: Any = stand.receivers
    stand.receivers.answers["slack"] = [DelayedError("status 500")] * 10_000
    stand.put("slack", "a")
    seen = threading.Event()
    sender = Sender(stand.outbox, transport, pause=lambda _seconds: seen.wait(0.01))  # type: ignore[arg-type,return-value]
    thread = threading.Thread(target=lambda: sender.run(["slack", "teams"]))
    thread.start()
    stand.put("teams", "late")
    deadline = time.monotonic() + 20
    while ("teams", "late") not in stand.receivers.got and time.monotonic() < deadline:
        seen.wait(0.01)
    stand.receivers.answers.clear()
    sender.end_by(time.monotonic() + 20)
    thread.join(timeout=20)
    assert stand.receivers.got == [("teams", "late"), ("slack", "a")]


def test_a_pause_ends_with_the_time(stand: Stand) -> None:
    """Told to end while a receiver's hour runs, it neither stays for it nor asks before it is over."""
    stand.put("slack", "a")
    stand.receivers.answers["slack"] = [DelayedError("status 429", 3600)]
    transport: Any = stand.receivers
    sender = Sender(stand.outbox, transport, pause=lambda _seconds: sender.end_by(time.monotonic()))
    sender.run([])
    assert stand.states() == [("a", "pending", 1, "status 429")]
