from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.notify import announce
from infra.notify.announce import make_notice, put_notice, version_of
from infra.notify.channels import public_address, wanting
from infra.notify.outbox import Outbox
from tests.support.notices import HOSTILE, channel, notifying
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

CI = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "o/r",
    "GITHUB_RUN_ID": "7",
    "GITHUB_TOKEN": "planted-token",
    "GITHUB_API_URL": "https://api.github.example",
}


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    """Keep the letters of this test in a folder of its own; every commit has a hostile subject."""
    found = Outbox(tmp_path / "outbox")
    monkeypatch.setattr(announce.Outbox, "of", lambda _stack: found)
    monkeypatch.setattr(announce, "commit_subject", lambda _root, _commit: HOSTILE)
    return found


def test_a_notice_is_kept_for_those_who_want_it(outbox: Outbox) -> None:
    """Each channel is told of its own events, and once."""
    settings = notifying(channel("slack"), channel("teams", events=["failed"]), channel("pagerduty"))
    assert put_notice(settings, "started", "run-1", {}) == ["slack"]
    assert put_notice(settings, "failed", "run-1", {}, reason="why") == ["slack", "teams", "pagerduty"]
    assert put_notice(settings, "failed", "run-1", {}, reason="again") == []
    assert [letter.notice.event for letter in outbox.letters("slack", "pending")] == ["started", "failed"]


def test_a_stack_that_tells_nobody_makes_nothing(outbox: Outbox) -> None:
    """Without channels there is no folder and no work."""
    assert put_notice(make_settings(), "failed", "run-1", {}) == []
    assert not outbox.folder.exists()


def test_an_outcome_is_kept_whoever_wants_to_know_of_it(outbox: Outbox) -> None:
    """A good release is known as one where only bad ones are told; a start is no outcome."""
    settings = notifying(channel("pagerduty", events=["failed", "reverted"]))
    assert put_notice(settings, "started", "run-1", {}, release="v1-0") == []
    assert not outbox.has_outcome("run-1", "v1-0")
    assert put_notice(settings, "succeeded", "run-1", {}, release="v1-0") == []
    assert outbox.has_outcome("run-1", "v1-0")
    assert outbox.all_letters() == []


def test_where_nobody_wants_an_outcome_none_is_kept(outbox: Outbox) -> None:
    """A channel for drift is told nothing of releases, so nobody will ask."""
    assert put_notice(notifying(channel("slack", events=["drift"])), "succeeded", "run-1", {}) == []
    assert not outbox.folder.exists()


@pytest.mark.parametrize("missing", ["GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL"])
def test_deployments_need_github(missing: str) -> None:
    """Outside of GitHub the channel is not there; within, it knows all events but drift."""
    settings = notifying(github={"environment": "production"})
    assert wanting(settings, "started", CI) == ["github"]
    assert wanting(settings, "drift", CI) == []
    assert wanting(settings, "started", {**CI, missing: ""}) == []
    assert wanting(notifying(), "started", CI) == []


def test_texts_of_others_are_redacted_and_harmless() -> None:
    """Reason, subject and who are cleaned before anything is written."""
    settings = notifying(channel("slack"))
    notice = make_notice(
        settings, "failed", "run-1", CI,
        reason="token planted-token\n<!channel>", who="<@U1>", release="v1-0", commit="c" * 40,
    )  # fmt: skip
    assert notice.reason == "token [redacted] · (!channel)"
    assert notice.who == "((at)U1)"
    assert "<" not in notice.subject
    assert notice.links == {"run": "https://github.example/o/r/actions/runs/7"}


def test_the_version_is_the_releases() -> None:
    """A release id is the version and eight digits."""
    assert version_of("v1.4.2-3-gabc-1a2b3c4d") == "v1.4.2-3-gabc"
    assert version_of("") == ""


@pytest.mark.parametrize(
    ("edge", "address"),
    [
        ({"http_port": 8080}, "http://127.0.11.11:8080"),
        ({"tls": {"certificate_file": "/c.pem", "server_name": "acp.example"}}, "https://acp.example"),
        (
            {"https_port": 8443, "tls": {"certificate_file": "/c.pem", "server_name": "acp.example"}},
            "https://acp.example:8443",
        ),
    ],
)
def test_the_public_address_is_the_edges(edge: dict[str, object], address: str) -> None:
    """With TLS it is the certificate's name, without the first host."""
    assert public_address(make_settings(edge=edge)) == address
