"""Which channels want a notice, and how a letter is handed over to each kind of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from infra.adapters.ci import ci_run_url
from infra.domain.notices.cloudevent import CONTENT_TYPE, cloud_event, signature_headers
from infra.domain.notices.deployment import STATES
from infra.domain.notices.pagerduty import pagerduty_event
from infra.domain.notices.slack import slack_message
from infra.domain.notices.teams import teams_message
from infra.notify.delivery import DelayedError, RefusedError, checked_address, exchange
from infra.notify.github import VARIABLES, Repository
from infra.notify.mail import send_mail
from infra.notify.redaction import Redactor
from infra.settings.notifications import GITHUB, PAGERDUTY_URL
from infra.settings.secrets import environment_names, find_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from infra.domain.notices.notice import Event, Notice
    from infra.settings import Settings
    from infra.settings.notifications import Channel


def wanting(settings: Settings, event: Event, environ: Mapping[str, str]) -> list[str]:
    """Return the names of the channels that want an event; deployments only where GitHub can be reached."""
    wanted = [channel.name for channel in settings.notifications.channels if event in channel.wanted]
    has_github = settings.notifications.github is not None and all(environ.get(name) for name in VARIABLES)
    return [*wanted, GITHUB] if has_github and event in STATES else wanted


def public_address(settings: Settings) -> str:
    """Return the address under which people reach the stack."""
    edge = settings.edge
    if edge.tls:
        port = "" if edge.https_port == 443 else f":{edge.https_port}"  # noqa: PLR2004 - the port of https
        return f"https://{edge.tls.server_name}{port}"
    return f"http://{settings.hosts[0].reach(edge.http_port)}"


class Transport:
    """Hands notices over; addresses and keys are looked up in the environment when they are needed."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], client: httpx.Client) -> None:
        """Prepare for the channels of a stack."""
        self._settings = settings
        self._environ = environ
        self._client = client
        self._redacted = Redactor(settings, environ)

    def deliver(self, notice: Notice, name: str) -> None:
        """Hand a notice over to the channel `name`; raise `DelayedError` or `RefusedError` when it is not taken."""
        if name == GITHUB:
            self._deployment(notice)
            return
        channel = next((c for c in self._settings.notifications.channels if c.name == name), None)
        if channel is None:
            raise RefusedError("this channel is not in the stack file any more")
        match channel.kind:
            case "slack":
                self._post(channel, json=slack_message(notice))
            case "teams":
                self._post(channel, json=teams_message(notice))
            case "pagerduty":
                event = pagerduty_event(notice, self._secret(channel.secret))
                self._send(channel.url or PAGERDUTY_URL, json=event)
            case "webhook":
                self._webhook(notice, channel)
            case "email":
                send_mail(notice, channel, self._secret(channel.secret))

    def _webhook(self, notice: Notice, channel: Channel) -> None:
        body = cloud_event(notice)
        key = self._secret(str(channel.signing_secret))
        signed = signature_headers(notice.id, int(time.time()), body, key)
        self._post(channel, content=body, headers={"Content-Type": CONTENT_TYPE, **signed})

    def _deployment(self, notice: Notice) -> None:
        github = self._settings.notifications.github
        if github is None:
            raise RefusedError("GitHub deployments are not in the stack file any more")
        repository = Repository.of(self._client, self._environ, self._redacted)
        address = github.url or public_address(self._settings)
        repository.tell(notice, github.environment, address, notice.links.get("run", ""))

    def _post(self, channel: Channel, **body: Any) -> None:
        self._send(checked_address(self._secret(channel.secret), channel.secret), **body)

    def _send(self, address: str, **body: Any) -> None:
        exchange(self._client, "POST", address, redacted=self._redacted, **body)

    def _secret(self, name: str) -> str:
        """Return a secret; without it the letter waits for a run that has it."""
        value = find_secret(self._settings, name, self._environ)
        if not value:
            raise DelayedError(f"{' or '.join(environment_names(self._settings, name))} is not set here")
        return value


def run_link(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the link to the CI run, if there is one."""
    url = ci_run_url(environ)
    return {"run": url} if url else {}
