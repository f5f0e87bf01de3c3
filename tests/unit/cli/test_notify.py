from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from infra.cli import notifications as notifications_module
from infra.cli import notify as notify_module
from infra.cli.main import main
from infra.errors import ToolError
from infra.notify import announce
from infra.notify.outbox import Outbox
from tests.support.notices import channel, make_notice, notifying

if TYPE_CHECKING:
    from pathlib import Path

    from infra.settings import Settings

RECORD = {"release_entry": {"release": "v1.4.2-1a2b3c4d", "commit": "c" * 40, "replaced": "v1.4.1-00000000"}}


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    """Return the outbox of a stack that tells Slack; senders do nothing, and nobody waits."""
    found = Outbox(tmp_path / "outbox")
    for module in (announce, notifications_module, notify_module):
        monkeypatch.setattr(module.Outbox, "of", lambda _stack: found)
    monkeypatch.setattr(notifications_module, "start_sender", lambda _stack: None)
    monkeypatch.setattr(notify_module, "stack_outputs", lambda _stack: RECORD)
    use(monkeypatch, notifying(channel("slack"), channel("teams", events=["drift"])))
    return found


def use(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Let the commands find these settings."""
    for module in (notifications_module, notify_module):
        monkeypatch.setattr(module, "load", lambda _stack: settings)


def run(*arguments: str) -> str:
    """Run a command on the stack `local`, without waiting, and return its standard output."""
    result = CliRunner().invoke(main, [*arguments, "--stack", "local", "--wait-seconds", "0"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_event_is_kept_for_those_who_want_it(outbox: Outbox) -> None:
    """What is not delivered yet is said to be kept, and the reason is in the notice."""
    text = run("notify", "--event", "waiting", "--reason", "by <!here>")
    assert text == "slack: kept, will be tried again\n"
    (letter,) = outbox.letters("slack", "pending")
    assert (letter.notice.event, letter.notice.reason, letter.notice.release) == ("waiting", "by (!here)", "")


def test_drift_is_about_the_recorded_release(outbox: Outbox) -> None:
    """Release and commit come from the record, and each event by hand is a notice of its own."""
    for number in range(2):
        document = json.loads(run("notify", "--event", "drift", "--reason", str(number), "--json"))
        assert document["channels"] == ["slack", "teams"]
    notices = [letter.notice for letter in outbox.letters("teams", "pending")]
    assert {notice.release for notice in notices} == {"v1.4.2-1a2b3c4d"}
    assert {notice.commit for notice in notices} == {"c" * 40}


def test_a_record_that_cannot_be_read_is_no_reason_to_say_nothing(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notice goes out with what is known."""

    def broken(_stack: str) -> dict[str, Any]:
        raise ToolError("pulumi is not installed")

    monkeypatch.setattr(notify_module, "stack_outputs", broken)
    run("notify", "--event", "drift")
    assert outbox.letters("slack", "pending")[0].notice.release == ""


def test_a_release_can_be_named(outbox: Outbox) -> None:
    """What the workflow says wins over the record."""
    run("notify", "--event", "succeeded", "--release", "v9-0a0b0c0d")
    (letter,) = outbox.letters("slack", "pending")
    assert (letter.notice.release, letter.notice.version) == ("v9-0a0b0c0d", "v9")


def test_an_outcome_is_told_once_in_a_ci_run(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `pulumi up` told is not told again by the workflow's last job; another event is."""
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    outbox.put(make_notice(event="reverted", run_id="ci-7-1"), "slack")
    assert run("notify", "--event", "failed") == "the outcome of this run was told already\n"
    assert len(outbox.letters("slack", "pending")) == 1
    assert "slack: kept" in run("notify", "--event", "waiting")


def test_a_failure_after_a_success_is_told(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The update was good and a later step of its job was not: that is news, told once."""
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    outbox.put(make_notice(event="rolled-back", run_id="ci-7-1-a"), "slack")
    assert run("notify", "--event", "failed") == "slack: kept, will be tried again\n"
    assert run("notify", "--event", "failed") == "the outcome of this run was told already\n"
    assert run("notify", "--event", "succeeded") == "the outcome of this run was told already\n"


def test_what_became_of_each_notice_is_said(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is no delivery: its reason stands beside the channel, and nothing fails by it."""
    use(monkeypatch, notifying(*(channel(name) for name in ("slack", "teams", "pagerduty", "webhook"))))

    def send(_stack: str) -> None:
        found = {letter.channel: letter for letter in outbox.all_letters() if letter.state == "pending"}
        outbox.close(found["slack"], "refused", "status 404", "now")
        outbox.note(found["teams"], "status 503", 0.0)
        outbox.close(found["webhook"], "delivered", "", "now")

    monkeypatch.setattr(notifications_module, "start_sender", send)
    assert run("notify", "--event", "waiting") == (
        "slack: REFUSED: status 404\n"
        "teams: kept, will be tried again: status 503\n"
        "webhook: sent\n"
        "when that is mended: `acp-release notifications --stack local --resend`\n"
    )
    document = json.loads(run("notify", "--event", "waiting", "--json"))
    assert (document["waiting"], document["refused"]) == (["teams"], ["slack"])
    assert document["errors"] == {"slack": "status 404", "teams": "status 503"}


def test_a_notice_that_was_refused_before_is_said_to_be(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same event of the same CI run is one notice; that it is refused is not that nobody wants it."""
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    run("notify", "--event", "failed")
    outbox.close(outbox.letters("slack", "pending")[0], "refused", "status 404", "now")
    assert "slack: REFUSED: status 404\n" in run("notify", "--event", "failed")


def test_a_stack_that_tells_nobody_says_so(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a channel for the event nothing is kept, and that is no error."""
    use(monkeypatch, notifying())
    assert run("notify", "--event", "drift") == "no channel of stack local wants to know of drift\n"
    assert run("notifications") == "no notices yet\n"
    assert not outbox.folder.exists()


def test_letters_are_shown_with_what_became_of_them(outbox: Outbox) -> None:
    """State, attempts and the last error are there for people and for scripts."""
    outbox.put(make_notice(), "slack")
    outbox.note(outbox.letters("slack", "pending")[0], "status 503: [red]down[/red]", 0.0)
    (shown,) = json.loads(run("notifications", "--json"))
    assert (shown["channel"], shown["state"], shown["last_error"]) == (
        "slack",
        "pending",
        "status 503: [red]down[/red]",
    )
    assert "status 503: [red]down[/red]" in run("notifications")


def test_resending_opens_what_was_refused(outbox: Outbox) -> None:
    """After a wrong address was mended, the letters go out."""
    outbox.put(make_notice(), "slack")
    outbox.close(outbox.letters("slack", "pending")[0], "refused", "status 404", "now")
    (shown,) = json.loads(run("notifications", "--resend", "--json"))
    assert (shown["state"], shown["last_error"]) == ("pending", "")
