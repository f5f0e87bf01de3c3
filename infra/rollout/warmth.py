"""How each host would take a release back: from its kept containers, or pulled again; and what stands against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.adapters.registry_api import RegistryApi
from infra.errors import HostUnreachableError, ImageMissingError, RegistryError, ReleaseError, UsageError
from infra.rollout.hosts import HostGroup

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.settings import Settings

STATUS_TIMEOUT_SECONDS = 30.0
WARM = "warm"
COLD = "cold"
SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReturn:
    """One host's way back; `problem` is why there is none, `is_silent` that the host cannot be reached."""

    host: str
    how: str = ""
    problem: str = ""
    is_silent: bool = False


def ask_hosts(clients: Sequence[HostctlClient]) -> dict[str, Mapping[str, Any] | ReleaseError]:
    """Return the status of each host, or why it did not give one; nothing is changed."""
    results, errors = HostGroup(clients=clients, leases={}).attempt(
        lambda client: client.call("status", timeout_seconds=STATUS_TIMEOUT_SECONDS)
    )
    return {client.host.name: errors.get(client.host.name) or results[client.host.name] for client in clients}


def serving_releases(answers: Mapping[str, Mapping[str, Any] | ReleaseError]) -> dict[str, str | None]:
    """Return what is committed on each host that answered `ask_hosts`, None where nothing is."""
    return {name: answer["current"] for name, answer in answers.items() if not isinstance(answer, ReleaseError)}


def host_returns(answers: Mapping[str, Mapping[str, Any] | ReleaseError], release: str) -> list[HostReturn]:
    """Return how each host would take `release` back, from what `ask_hosts` was answered."""

    def way_of(name: str, answer: Mapping[str, Any] | ReleaseError) -> HostReturn:
        if isinstance(answer, ReleaseError):
            return HostReturn(host=name, problem=answer.what, is_silent=isinstance(answer, HostUnreachableError))
        kept = {*answer["parked"], answer["current"], answer["retiring"]}
        return HostReturn(host=name, how=WARM if release in kept else COLD)

    return [way_of(name, answer) for name, answer in answers.items()]


def without_silent(settings: Settings, returns: Sequence[HostReturn]) -> list[HostReturn]:
    """Return how the hosts go back where the stack wants those that cannot be reached to be left alone.

    Not where nobody answers: then there is nothing to go back on.
    """
    if settings.rollout.unreachable_host != "skip" or all(item.is_silent for item in returns):
        return list(returns)
    return [HostReturn(host=item.host, how=SKIPPED) if item.is_silent else item for item in returns]


def refuse_impossible(
    settings: Settings, password: str, entry: Mapping[str, Any], returns: Sequence[HostReturn]
) -> None:
    """Raise when a host does not answer, or must pull an image that is not to be had; nothing was changed by then."""
    silent = [item for item in returns if item.problem]
    if silent:
        raise HostUnreachableError(
            "\n".join(f"{item.host}: {item.problem}" for item in silent),
            where=f"hosts {', '.join(item.host for item in silent)}",
            mend="all hosts of a stack go back together; mend the host, or set `rollout.unreachable_host: skip` and go "
            "back on the others. Nothing was changed",
        )
    cold = [item.host for item in returns if item.how == COLD]
    if cold:
        _refuse_missing(settings, password, entry, cold)


def _refuse_missing(settings: Settings, password: str, entry: Mapping[str, Any], cold: Sequence[str]) -> None:
    """Raise when the registry lacks an image that the cold hosts would pull."""
    release = entry["release"]
    where = f"hosts {', '.join(cold)}"
    try:
        with RegistryApi.open(settings.registry, password) as api:
            missing = [pinned for pinned in entry["images"].values() if not _has(settings, api, pinned)]
    except RegistryError as error:
        raise RegistryError(
            f"{release} is not kept on {', '.join(cold)}, and it cannot be pulled there: {error.what}",
            where=error.where or where,
            mend="choose a release that is parked on every host"
            f" (`acp-release status --stack {settings.stack} --json`). Nothing was changed",
        ) from None
    if missing:
        raise ImageMissingError(
            f"{release} is neither kept on {', '.join(cold)} nor in the registry: {', '.join(missing)}",
            where=where,
            mend=f"choose another release: `acp-release history --stack {settings.stack}` lists them."
            " Nothing was changed",
        )


def _has(settings: Settings, api: RegistryApi, pinned: str) -> bool:
    """Return whether an image can be pulled; one of another registry is left to the hosts."""
    repository, _, digest = pinned.partition("@")
    prefix = f"{settings.registry.server}/"
    return not repository.startswith(prefix) or api.has(repository.removeprefix(prefix), digest)


def refuse_serving(
    stack: str, release: str, entry: Mapping[str, Any], serving: Mapping[str, str | None], hosts: Collection[str]
) -> None:
    """Raise when the release that is asked for serves already: recorded by `entry` for all `hosts`, and there.

    `serving` is what the hosts that answered have (`serving_releases`); where none did, the record alone counts.
    """
    is_recorded = release == entry.get("release") and set(hosts) <= set(entry.get("hosts") or hosts)
    if is_recorded and all(current == release for current in serving.values()):
        raise UsageError(
            f"{release} is what stack {stack} serves already", mend=f"`acp-release status --stack {stack}` shows it"
        )
