"""What the driver works with, made from a dynamic resource's inputs and the runner's environment."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from infra.adapters.files import key_path
from infra.adapters.hostctl import HostctlClient
from infra.adapters.ssh_sharing import shared
from infra.domain.numbers import whole_numbers
from infra.domain.text_form import from_text
from infra.paths import PROJECT_ROOT
from infra.rollout.hosts import HostGroup
from infra.settings.load import settings_of
from infra.settings.recorded import ANY_OTHER, as_recorded
from infra.settings.secrets import SecretValues, read_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.settings.model import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutContext:
    """One rollout: the settings, the release document, the hosts with their leases, and the secrets.

    `others` has, by release, the settings of those that are asked by others than `settings`. `before` names what was at
    fault before the rollout began, `recorded` is the release that the stack's record has.
    """

    settings: Settings
    spec: Mapping[str, Any]
    run_id: str
    group: HostGroup
    secrets: SecretValues
    clearance: Mapping[str, str] | None = None
    others: Mapping[str, Settings] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    recorded: str = ""
    audit: Mapping[str, Any] = field(default_factory=dict)

    @property
    def release(self) -> str:
        """Return the id of the release."""
        return str(self.spec["release"])

    def settings_of(self, release: str) -> Settings:
        """Return the settings by which a release is asked: this one's, those that were recorded, or today's."""
        if release == self.release:
            return self.settings
        return self.others.get(release) or self.others.get(ANY_OTHER) or self.settings

    @property
    def registry_login(self) -> dict[str, str]:
        """Return the login that hostctl pulls with."""
        registry = self.settings.registry
        return {
            "server": registry.server,
            "username": registry.username,
            "password": self.secrets["REGISTRY_PASSWORD"],
        }


def open_context(props: Mapping[str, Any]) -> RolloutContext:
    """Return the context of a resource; it has `settings`, `spec`, `run_id`, and perhaps more (see the fields)."""
    settings = settings_of(props)
    secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT)
    clients = host_clients(settings, secrets)
    return RolloutContext(
        settings=settings,
        spec=from_text(props["spec"]),
        run_id=props["run_id"],
        group=HostGroup(clients=clients, leases=whole_numbers(props.get("leases") or {})),
        secrets=secrets,
        clearance=props.get("clearance"),
        others={
            release: as_recorded(settings, {"release": release, "settings": told})
            for release, told in from_text(props.get("others") or {}).items()
        },
        before=tuple(props.get("before") or ()),
        recorded=str(props.get("recorded") or ""),
        audit=whole_numbers(props.get("audit") or {}),
    )


@contextlib.contextmanager
def sharing_connections(context: RolloutContext, *, lingers: bool = False) -> Iterator[RolloutContext]:
    """Yield the same context with one connection per host for all that is asked in it; `lingers`: see `shared`."""
    with shared(context.group.clients, lingers=lingers) as clients:
        yield replace(context, group=replace(context.group, clients=clients))


def connect_ahead(props: Mapping[str, Any]) -> None:
    """Begin to open the connections that the preflight of this update goes on with; nobody waits for them.

    `props` has `settings`. Hosts that the update leaves alone are not connected to.
    """
    with shared(host_clients(settings_of(props).without_skipped()), lingers=True):
        pass


def host_clients(settings: Settings, secrets: SecretValues | None = None) -> list[HostctlClient]:
    """Return a client for every host, with the deploy key."""
    key_file = key_path(settings.ssh.deploy_key_file)
    values = tuple(secrets.values.values()) if secrets else ()
    return [HostctlClient(host=host, key_file=str(key_file), secrets=values) for host in settings.hosts]


def who() -> str:
    """Return who releases, for the lease: CI actor or local user, and the machine."""
    actor = os.environ.get("GITHUB_ACTOR") or getpass.getuser()
    return f"{actor}@{socket.gethostname()}"
