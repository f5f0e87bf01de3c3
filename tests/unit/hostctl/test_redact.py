"""Secrets in what is quoted, written down and told on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from infra.hostctl import readiness
from infra.hostctl.errors import HostctlError
from infra.hostctl.journal import Journal
from infra.hostctl.redact import MASK, Redactor
from infra.hostctl.spec import Readiness
from infra.hostctl.state import State, StateStore, Trial
from tests.unit.hostctl.fakes import FakeClock
from tests.unit.hostctl.release_spec import SECRET, V1, V2

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from tests.unit.hostctl.fake_host import FakeHost


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        (SECRET, "cannot reach postgresql+asyncpg://user:pa55word@db/acp", f"postgresql+asyncpg://user:{MASK}@db/acp"),
        ("redis://:p%40ss%2Fw@redis:6379/0", "password p@ss/w", f"password {MASK}"),
        ("redis://:p#ss/w@redis:6379/0", "amqp://me:p%23ss%2Fw@mq", f"amqp://me:{MASK}@mq"),
        ("amqp://a:first1@h1,amqp://b:second2@h2/v", "first1 and second2", f"{MASK} and {MASK}"),
        ("postgres://acp:pw@db/acp", "pw of mysql://acp:pw@db", f"pw of mysql://acp{MASK}db"),
        ("http://llm:8000/v1", "llm:8000 is not the address", "llm:8000 is not the address"),
    ],
)
def test_a_password_in_an_address_is_masked_wherever_it_stands(secret: str, text: str, shown: str) -> None:
    """An app quotes it under another scheme, alone or decoded; a short one is masked in addresses only."""
    assert Redactor([secret]).text(text).endswith(shown)


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("first-line\nsecond-line\n", "it says second-line twice", f"it says {MASK} twice"),
        ("first-line\nfive5", "five5 is a word", "five5 is a word"),
        ("first-line\nsecond", r'{"key": "first-line\nsecond"}', f'{{"key": "{MASK}"}}'),
        ('pa"ss\\word', r'{"password": "pa\"ss\\word"}', f'{{"password": "{MASK}"}}'),
        ('one\nthe "line" two', r'["the \"line\" two"]', f'["{MASK}"]'),
    ],
)
def test_a_secret_of_lines_or_with_quotes_is_masked_in_its_other_forms(secret: str, text: str, shown: str) -> None:
    """An app quotes one line of a key, or all of it in JSON; a short line is an ordinary word."""
    assert Redactor([secret]).text(text) == shown


@pytest.mark.parametrize("is_warm", [False, True])
def test_a_secret_in_a_candidates_answer_is_neither_kept_nor_told(
    world: FakeHost, monkeypatch: pytest.MonkeyPatch, *, is_warm: bool
) -> None:
    """An app that quotes its DSN while it is not ready does not bring it into error, journal, state or progress.

    The secrets of a kept release are those of its containers: no request has them.
    """
    if is_warm:
        world.release(V2)
    world.release(V1)
    other = SECRET.replace("postgres:", "postgresql+asyncpg:")
    body = f"{'x' * 179} {SECRET} {other}"
    judged = str(readiness.judge(500, body.encode(), Readiness("/", "status", "ready", 1, 1, 1)))
    real = readiness.probe

    def probe(address: str, port: int, how: Readiness) -> str | None:
        found = [c for c in world.engine.all.values() if address in c.addresses.values()]
        return judged if found and found[0].project == "acp-v1-1-0-b" else real(address, port, how)

    monkeypatch.setattr(readiness, "probe", probe)
    with pytest.raises(HostctlError, match="status 500: xxx") as caught:
        world.start(V2)
    written = [world.host.paths.journal.read_text(), world.host.paths.state.read_text()]
    assert MASK in caught.value.message
    for text in (caught.value.message, *written, *world.progress):
        assert "pa55" not in text
    assert "status 500" in json.loads(written[1])["last_trial"]["reason"]


def test_an_answer_is_quoted_in_part(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a framework's error says enough with its beginning."""
    monkeypatch.setattr(readiness, "probe", lambda *_: "status 500: " + "x" * 10_000)
    with pytest.raises(HostctlError) as caught:
        world.start(V1)
    assert len(caught.value.message) < 400


def test_journal_and_state_mask_reasons_whoever_gives_them(tmp_path: Path) -> None:
    """A second wall: what is quoted in them is masked, names and numbers stay what they are."""
    redactor = Redactor(["v1.0.0-word"])
    store = StateStore(tmp_path / "state.json", redactor)
    trial = Trial("v1.0.0-word", "ready", 0, was_parked=False, deadline=1, boot_id="b", confirm_timeout_seconds=1,
                  started_at="", reason="it said v1.0.0-word")  # fmt: skip
    store.save(State(trial=trial, last_trial={"release": "v1.0.0-word", "reason": "v1.0.0-word!"}))
    kept = store.load()
    assert kept.trial is not None
    assert (kept.trial.release, kept.trial.reason) == ("v1.0.0-word", f"it said {MASK}")
    assert kept.last_trial == {"release": "v1.0.0-word", "reason": f"{MASK}!"}
    journal = Journal(tmp_path / "journal.jsonl", cast("Clock", FakeClock()), redactor=redactor)
    journal.note("revert", "intent", release="v1.0.0-word", reason="v1.0.0-word!")
    (entry,) = journal.tail(1)
    assert (entry["release"], entry["reason"]) == ("v1.0.0-word", f"{MASK}!")
