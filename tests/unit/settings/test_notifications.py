from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from infra.errors import SecretMissingError
from infra.settings.load import describe_problem
from infra.settings.model import SECRET_NAMES
from infra.settings.secrets import read_secrets
from tests.support.notices import channel, notifying

if TYPE_CHECKING:
    from pathlib import Path


def problems(*channels: dict[str, Any], **changes: Any) -> list[str]:
    """Return what is wrong with these channels."""
    with pytest.raises(ValidationError) as caught:
        notifying(*channels, **changes)
    return [describe_problem(detail) for detail in caught.value.errors()]


def test_nobody_is_told_by_default(tmp_path: Path) -> None:
    """A stack without the section needs no secret for it."""
    settings = notifying()
    assert settings.notifications.channels == ()
    assert settings.notifications.secret_names == ()


@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty", "webhook", "email"])
def test_every_kind_of_channel_validates(kind: str) -> None:
    """Each has what it needs; without a list it is told of every event it knows."""
    (made,) = notifying(channel(kind)).notifications.channels
    assert "failed" in made.wanted
    assert ("started" in made.wanted) == (kind != "pagerduty")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (channel("slack", secret="https://hooks.example/x"), "notifications.channels[0].secret: String should match"),
        (channel("slack", name="github"), "`github` is the channel of deployments; choose another name"),
        (channel("webhook", signing_secret=None), "notifications.channels[0]: webhook needs signing_secret"),
        (channel("slack", signing_secret="KEY"), "notifications.channels[0]: signing_secret is for webhook only"),
        (channel("email", recipients=[]), "notifications.channels[0]: email needs recipients"),
        (channel("email", sender="a\nBcc: b@c.d"), "notifications.channels[0].sender: String should match"),
        (channel("slack", url="https://x.example"), "url is for pagerduty only; an address is a secret elsewhere"),
        (channel("pagerduty", events=["started"]), "pagerduty knows no started"),
        (channel("slack", events=["done"]), "notifications.channels[0].events[0]: Input should be 'started'"),
        (channel("slack", webhook="x"), "notifications.channels[0].webhook: unknown key"),
    ],
)
def test_a_wrong_channel_is_said_with_its_path(changed: dict[str, Any], said: str) -> None:
    """Each mistake is named at the place where it was made."""
    assert any(said in problem for problem in problems(changed))


def test_two_channels_need_two_names() -> None:
    """The outbox keeps letters by the channel's name."""
    assert problems(channel("slack"), channel("slack")) == ["notifications.channels: name 'slack' stands twice"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://x.example/|a", "https://x.example/<", "/path"])
def test_a_link_is_a_web_address(address: str) -> None:
    """What is put into every message as a link cannot be markup."""
    assert problems(links={"runbook": address})[0].startswith("notifications.links.runbook: String should match")


def test_a_channels_secrets_are_named_before_anything_is_built(tmp_path: Path) -> None:
    """They are missing like all others, under the stack's prefix, and only where the channel is configured."""
    environ = {f"LOCAL_{name}": "v" for name in (*SECRET_NAMES, "REGISTRY_PASSWORD")}
    read_secrets(notifying(), environ, root=tmp_path)
    with pytest.raises(SecretMissingError) as caught:
        read_secrets(notifying(channel("slack"), channel("webhook")), environ, root=tmp_path)
    assert caught.value.problems == (
        "LOCAL_SLACK_TARGET is not set",
        "LOCAL_WEBHOOK_TARGET is not set",
        "LOCAL_WEBHOOK_KEY is not set",
    )


def test_a_lab_makes_up_no_address_of_somebody_elses(tmp_path: Path) -> None:
    """A disposable stack derives its own secrets, and still asks for the channels'."""
    (tmp_path / ".lab").mkdir()
    (tmp_path / ".lab" / "seed").write_text("5e" * 32, encoding="ascii")
    settings = notifying(channel("slack")).model_copy(
        update={"secrets": notifying().secrets.model_copy(update={"lab_folder": ".lab"})}
    )
    with pytest.raises(SecretMissingError) as caught:
        read_secrets(settings, {}, root=tmp_path)
    assert caught.value.problems == ("LOCAL_SLACK_TARGET is not set",)
