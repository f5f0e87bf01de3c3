"""Who is told of a release, and of which events; addresses and keys are secrets, named here and never written."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from infra.domain.notices.notice import EVENTS, Event
from infra.settings.base import EnvironmentName, Model, Name

WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"|\\^`{}]+$", max_length=2000)]
Kind = Literal["slack", "teams", "pagerduty", "webhook", "email"]
GITHUB = "github"
"""The channel of GitHub deployments, which no other may be named after."""
PAGERDUTY_EVENTS: tuple[Event, ...] = ("succeeded", "failed", "reverted", "rolled-back", "drift")
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
OWN_KEYS: dict[str, tuple[str, ...]] = {"webhook": ("signing_secret",), "email": ("sender", "recipients")}
"""Keys that one kind of channel must have and no other may."""


class Channel(Model):
    """One receiver of notices."""

    name: Name = Field(description="Name of the channel in the outbox.")
    kind: Kind = Field(description="What the receiver understands.")
    secret: EnvironmentName = Field(
        description="Name of the secret that holds the webhook's address (`slack`, `teams`, `webhook`), the routing "
        "key (`pagerduty`) or the mail server as `smtps://user:password@host:465` (`email`; `smtp://`: STARTTLS)."
    )
    signing_secret: EnvironmentName | None = Field(
        default=None, description="`webhook`: name of the secret whose key signs each request."
    )
    url: WebAddress | None = Field(default=None, description=f"`pagerduty`: endpoint; default `{PAGERDUTY_URL}`.")
    sender: str | None = Field(default=None, pattern=r"^[^\s@<>]+@[^\s@<>]+$", description="`email`: from whom.")
    recipients: tuple[Annotated[str, StringConstraints(pattern=r"^[^\s@<>,]+@[^\s@<>,]+$")], ...] = Field(
        default=(), description="`email`: to whom."
    )
    events: tuple[Event, ...] = Field(default=(), description="Events wanted; none: all that the receiver knows.")

    @property
    def wanted(self) -> tuple[Event, ...]:
        """Return the events this channel is told of."""
        return self.events or (PAGERDUTY_EVENTS if self.kind == "pagerduty" else EVENTS)

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Return the names of the secrets this channel needs."""
        return (self.secret, *((self.signing_secret,) if self.signing_secret else ()))

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name == GITHUB:
            msg = f"`{GITHUB}` is the channel of deployments; choose another name"
            raise ValueError(msg)
        return name

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        problems = [
            f"{self.kind} needs {key}" if kind == self.kind else f"{key} is for {kind} only"
            for kind, keys in OWN_KEYS.items()
            for key in keys
            if bool(getattr(self, key)) != (kind == self.kind)
        ]
        if self.url and self.kind != "pagerduty":
            problems.append("url is for pagerduty only; an address is a secret elsewhere")
        if self.kind == "pagerduty":
            problems += [f"pagerduty knows no {event}" for event in self.events if event not in PAGERDUTY_EVENTS]
        if problems:
            raise ValueError("; ".join(problems))
        return self


class GithubDeployments(Model):
    """Deployments as objects of the repository, so that its Environments page tells what serves."""

    environment: str = Field(min_length=1, max_length=255, description="GitHub's name of the environment.")
    url: WebAddress | None = Field(default=None, description="Address shown there; default: the public address.")


class Notifications(Model):
    """Who is told of what happens to the stack."""

    channels: tuple[Channel, ...] = Field(default=(), description="Receivers of notices.")
    links: dict[Name, WebAddress] = Field(
        default_factory=dict, description="Links in each notice by label, as a runbook; the CI run is added by itself."
    )
    github: GithubDeployments | None = Field(
        default=None,
        description="Deployments by the API, where the environment has `GITHUB_TOKEN`, `GITHUB_REPOSITORY` and "
        "`GITHUB_API_URL`.",
    )

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Return the names of all secrets that the channels need."""
        return tuple(dict.fromkeys(name for channel in self.channels for name in channel.secret_names))

    @field_validator("channels")
    @classmethod
    def _names_are_unique(cls, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        names = [channel.name for channel in channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError("; ".join(f"name {name!r} stands twice" for name in twice))
        return channels
