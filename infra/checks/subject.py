"""Whom a suite judges: web services at addresses, hosts through hostctl, and the release that must be there."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.adapters.forward import forwarded
from infra.checks.target import candidate_targets, public_targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.checks.target import Target
    from infra.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is judged; `release` None accepts whatever serves.

    `replicas` has the containers per host of each service of that release, where it is known; `jobs` has a job by host
    that the agents answered, `handed_in` one that they were given and may still work on.
    """

    settings: Settings
    targets: Sequence[Target]
    hosts: Sequence[HostctlClient]
    release: str | None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    replicas: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[str, str] = field(default_factory=dict)
    handed_in: Mapping[str, str] = field(default_factory=dict)

    def targets_of(self, service_name: str) -> list[Target]:
        """Return one service at every address."""
        return [target for target in self.targets if target.service_name == service_name]


def public_subject(
    settings: Settings,
    hosts: Sequence[HostctlClient],
    *,
    release: str | None,
    secrets: Mapping[str, str],
    replicas: Mapping[str, int] | None = None,
    jobs: Mapping[str, str] | None = None,
) -> Subject:
    """Return the release that the public gets, on every host."""
    return Subject(
        settings=settings,
        targets=public_targets(settings, release),
        hosts=hosts,
        release=release,
        secrets=secrets,
        replicas=replicas or {},
        jobs=jobs or {},
    )


def replicas_of(spec: Mapping[str, Any]) -> dict[str, int]:
    """Return how many containers per host each service of a release has."""
    return {str(service["name"]): int(service["replicas"]) for service in spec["services"]}


@contextlib.contextmanager
def candidate_subject(
    settings: Settings,
    hosts: Sequence[HostctlClient],
    *,
    spec: Mapping[str, Any],
    secrets: Mapping[str, str],
    verify: Mapping[str, Mapping[str, int]],
    handed_in: Mapping[str, str] | None = None,
) -> Iterator[Subject]:
    """Yield the candidate alone, reached through SSH: `verify` has each host's verification ports by service."""
    release = str(spec["release"])
    with contextlib.ExitStack() as stack:
        targets = [
            target
            for client in hosts
            for target in candidate_targets(
                settings,
                client.host,
                stack.enter_context(forwarded(client, verify[client.host.name])),
                release,
            )
        ]
        yield Subject(
            settings=settings,
            targets=targets,
            hosts=hosts,
            release=release,
            secrets=secrets,
            replicas=replicas_of(spec),
            handed_in=handed_in or {},
        )
